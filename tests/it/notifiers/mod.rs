//! Notifications: each is delivered once, signed, and delays nothing else.

mod delivery;
mod folding;
mod locks;

use std::fs;

use chrono::TimeDelta;
use relance::channel::notify::Courier;
use relance::channel::outgoing::Outgoing;
use relance::core::lifecycle::detail::Detail;
use relance::daemon::{Reported, deliver};
use relance::store::Speed;
use sqlx::types::Json;
use tempfile::TempDir;

use crate::support::daemon::folder;
use crate::support::facts::Person;
use crate::support::receiver::Request;
use crate::support::trees::{NO_PACE, tree};
use crate::support::world::World;

pub(super) const MONDAY: &str = "2026-11-30T08:00:00Z";
pub(super) const KEY: &str = "a key of the team";

/// A folder with the secrets of notifiers, and receivers for them.
pub(super) struct Team {
    pub(super) world: World,
    pub(super) dir: TempDir,
    pub(super) courier: Courier,
}

impl Team {
    /// Three accounts with one person each.
    pub(super) async fn new() -> Self {
        let world = World::at(MONDAY).await;
        for (n, account) in ["a1", "a2", "a3"].into_iter().enumerate() {
            world.account(account).await;
            let (id, phone) = (format!("first-{account}"), format!("+23767100990{n}"));
            world.person(Person { account, ..Person::new(&id, &phone) }).await;
        }
        Self { world, dir: folder(), courier: courier() }
    }

    /// The path of a new file.
    pub(super) fn secret(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Applies campaigns of a state beside `notifiers`.
    pub(super) async fn apply(&mut self, state: &str, notifiers: &str) {
        let spec = format!("state: {state}, enrollment: continuous");
        self.world.apply(&(tree(2, NO_PACE, &[("winter", &spec)]) + notifiers)).await;
        self.world.settle().await;
    }

    /// The campaign pauses in these accounts, in the words of one moment.
    pub(super) async fn pause(&self, accounts: &[&str], words: &str) {
        sqlx::query(
            "insert into event (account_id, campaign_id, at, kind, before, after, reason, detail, revision_id)
             select a.id, c.id, $1, 'run-phase', 'active', 'paused', 'subscription-expired', $2, 1
             from account a, campaign c where a.external_id = any($3)",
        )
        .bind(self.world.now)
        .bind(Json(Detail::Refused { text: words.to_owned() }))
        .bind(accounts)
        .execute(self.world.pool())
        .await
        .unwrap();
    }

    /// A file was imported.
    pub(super) async fn imported(&self, words: &str) {
        sqlx::query("insert into event (account_id, at, kind, detail) values (0, $1, 'import', $2)")
            .bind(self.world.now)
            .bind(Json(Detail::Refused { text: words.to_owned() }))
            .execute(self.world.pool())
            .await
            .unwrap();
    }

    /// One tick, so long after now.
    pub(super) async fn tick_in(&mut self, time: TimeDelta) -> usize {
        self.world.now += time;
        let at = (self.world.now, Speed(1.0));
        deliver(self.world.store(), &self.courier, &mut Reported::default(), at).await.unwrap()
    }

    /// Ticks until all that is settled by then is told.
    pub(super) async fn tell(&mut self) {
        self.tick_in(TimeDelta::zero()).await;
        while self.tick_in(TimeDelta::seconds(2)).await > 0 {}
    }

    /// The process dies and another comes.
    pub(super) fn restart(&mut self) {
        self.courier = courier();
        self.world.restart();
    }
}

pub(super) fn courier() -> Courier {
    Courier::new(Outgoing::new())
}

pub(super) fn notifier(name: &str, kind: &str, url: &str, rest: &str) -> String {
    format!(
        "---\napiVersion: relance/v1\nkind: Notifier\nmetadata: {{name: {name}}}\nspec: {{type: {kind}, url: {{fromFile: '{url}'}}{rest}}}\n"
    )
}

pub(super) fn texts(requests: &[Request]) -> Vec<String> {
    let mut texts: Vec<String> =
        requests.iter().map(|request| request.json()["text"].as_str().unwrap().to_owned()).collect();
    texts.sort();
    texts
}

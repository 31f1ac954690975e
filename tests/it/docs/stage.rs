//! The world in which command lines of pages run: the sample campaigns with their people, after thirty hours.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

use chrono::TimeDelta;
use relance::config::Config;
use relance::core::lifecycle::outcome::Reaction;
use relance::daemon::reconcile::{By, Outcome};
use relance::source;
use relance::store::Speed;
use tempfile::TempDir;

use super::page::{Check, root};
use crate::replies::said;
use crate::support::daemon::folder;
use crate::support::world::{Fault, World};

/// A Monday morning, a day after the last sample person registered.
const START: &str = "2026-11-30T07:00:00Z";
/// `ref-0006`: their hand-overs do not end well.
const UNLUCKY: &str = "+237655569486";
/// `ref-0004`: may have said STOP.
const UNCLEAR: &str = "+237655474942";

/// The setting that a page needs besides the usual one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Setting {
    Usual,
    /// A campaign's file is gone, and the daemon refused the plan.
    WaitingPlan,
    /// A reply waits to be read.
    Held,
    /// The provider refused the channel of `acc-000001` a moment ago.
    RefusedChannel,
}

impl Setting {
    /// How the hand-overs to the unlucky person end.
    fn faults(self) -> &'static [Fault] {
        match self {
            Self::Usual | Self::WaitingPlan | Self::Held => &[Fault::NoAnswer],
            Self::RefusedChannel => &[Fault::Fine, Fault::Asks(Reaction::PauseChannel)],
        }
    }
}

pub(super) struct Stage {
    world: World,
    folder: TempDir,
    /// The digest of the plan that waits.
    plan: Option<String>,
}

impl Stage {
    /// Prepares a folder and a database; `files` are applied too.
    pub(super) async fn set(setting: Setting, files: &[(String, String)]) -> Self {
        let folder = folder();
        for part in ["campaigns", "templates", "samples", "schemas"] {
            copy(&root().join(part), &folder.path().join(part));
        }
        for (path, text) in files {
            fs::write(folder.path().join(path), text).unwrap();
        }
        let mut stage = Self { world: World::at(START).await, folder, plan: None };
        stage.commit();
        stage.stop_the_clock().await;
        for (line, exit) in [
            ("relancectl import accounts samples/accounts.csv", 0),
            ("relancectl import referrals samples/referrals.csv", 1),
            ("relancectl apply", 0),
        ] {
            let check = Check::Run { setting, database: true, exit };
            assert_eq!(stage.fault(line, &check), None);
        }
        stage.world.channel.fail(UNLUCKY, setting.faults());
        stage.world.run_for(TimeDelta::hours(25)).await;
        match setting {
            Setting::Usual => {}
            Setting::RefusedChannel => stage.wait_for_refusal().await,
            Setting::WaitingPlan => stage.lose_a_campaign().await,
            Setting::Held => stage.reply().await,
        }
        stage.stop_the_clock().await;
        stage
    }

    /// Goes on until the second hand-over to the unlucky person, which is refused.
    async fn wait_for_refusal(&mut self) {
        for _ in 0..24 {
            self.world.run_for(TimeDelta::minutes(5)).await;
            if self.world.runs().await.iter().any(|run| run.ends_with("channel-unhealthy")) {
                return;
            }
        }
        panic!("no channel was refused: {:#?}", self.world.runs().await);
    }

    async fn stop_the_clock(&self) {
        self.world.store().set_clock(self.world.now, Speed(0.0)).await.unwrap();
    }

    /// Makes the folder a repository with one commit.
    fn commit(&self) {
        for args in [&["init", "-q"][..], &["add", "."], &["commit", "-qm", "campaigns"]] {
            let mut git = Command::new("git");
            git.args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]);
            assert!(git.args(args).current_dir(self.folder.path()).status().unwrap().success());
        }
    }

    async fn lose_a_campaign(&mut self) {
        let campaigns = self.folder.path().join("campaigns");
        fs::remove_file(campaigns.join("default.yaml")).unwrap();
        fs::remove_dir_all(campaigns.join("tests")).unwrap();
        let sources = source::load(&[campaigns, self.folder.path().join("templates")]).unwrap();
        let pass = self.world.reconcile(&sources, By::Daemon).await;
        assert!(matches!(pass.outcome, Outcome::Refused(_)), "{pass:?}");
        self.plan = Some(pass.digest);
    }

    async fn reply(&self) {
        let account = self.world.one("select id from account where external_id = 'acc-000001'").await;
        let heard = self.world.store().reply(&[said(account, UNCLEAR, "don't cancel my order")], self.world.now).await;
        assert_eq!(heard.unwrap().held.len(), 1);
    }

    /// Runs a line in the folder by a shell and says what is wrong with its end, if anything.
    pub(super) fn fault(&self, line: &str, check: &Check) -> Option<String> {
        let Check::Run { database, exit, .. } = check else { return None };
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(line).current_dir(self.folder.path()).stdin(Stdio::null());
        let program = Path::new(env!("CARGO_BIN_EXE_relancectl")).parent().unwrap();
        let path = [program.to_owned()].into_iter().chain(Config::read().path);
        shell.env("PATH", env::join_paths(path).unwrap()).env("USER", "maria").env("NO_COLOR", "1");
        shell.env("PLAN", self.plan.as_deref().unwrap_or_default()).env_remove("DATABASE_URL");
        if *database {
            shell.env("DATABASE_URL", self.world.url());
        }
        let output = shell.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code() != Some(*exit)).then(|| {
            let (out, error) = (text(&output.stdout), text(&output.stderr));
            format!("`{line}` ends with {:?}, not {exit}:\n{out}{error}", output.status.code())
        })
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

//! A served world with tokens, and requests to it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use relance::core::access::{Role, Token};
use relance::core::domain::AccountId;
use relance::store::NewToken;
use serde_json::Value;

use crate::support::daemon::folder;
use crate::support::facts::Person;
use crate::support::house::House;
use crate::support::trees::{ALWAYS, NO_PACE, tree};
use crate::support::world::{Fault, World};

pub(super) const MONDAY: &str = "2026-11-30T08:00:00Z";
pub(super) const BASE: &str = "/api/relance";
/// Every phone of the world begins with this.
pub(super) const PHONES: &str = "+23767100";

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The code of the problem, which must have the form of one.
    pub(super) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{self:?}");
        let code = problem["code"].as_str().unwrap();
        assert_eq!(problem["type"], format!("/problems/{code}"));
        assert_eq!(problem["instance"].as_str(), self.header("x-request-id"));
        for field in ["title", "detail"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{self:?}");
        }
        code.to_owned()
    }
}

/// A request without its token.
#[derive(Debug, Clone, Default)]
pub(super) struct Ask {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Ask {
    pub(super) fn get(path: &str) -> Self {
        Self { method: "GET", path: path.to_owned(), ..Self::default() }
    }

    pub(super) fn post(path: &str, body: &str) -> Self {
        let head = "Content-Type: application/json\r\n".to_owned();
        Self { method: "POST", path: path.to_owned(), head, body: body.as_bytes().to_vec() }
    }

    pub(super) fn with(mut self, header: &str) -> Self {
        self.head += &format!("{header}\r\n");
        self
    }
}

/// Makes a request under a loopback name.
pub(super) fn ask(address: SocketAddr, ask: &Ask) -> Answer {
    ask_host(address, "localhost", ask)
}

pub(super) fn ask_host(address: SocketAddr, host: &str, ask: &Ask) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    let Ask { method, path, head, body } = ask;
    let says_length = *method == "GET" || head.contains("Content-Length");
    let length = if says_length { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{length}{head}\r\n");
    // One write: a server that answers before it has read the body resets the connection.
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer to {method} {path}: {text}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// A served world with a token for each role.
pub(super) struct Desk {
    pub(super) house: House,
    pub(super) viewer: String,
    pub(super) operator: String,
    pub(super) ingest: String,
}

impl Desk {
    /// Serves a world to which manifests were applied.
    pub(super) async fn open(world: World) -> Self {
        let house = House::open(world, folder()).await;
        let mut desk = Self { house, viewer: String::new(), operator: String::new(), ingest: String::new() };
        desk.viewer = desk.token("viewer", Role::Viewer, None).await;
        desk.operator = desk.token("operator", Role::Operator, None).await;
        desk.ingest = desk.token("ingest", Role::Ingest, None).await;
        desk
    }

    pub(super) fn world(&self) -> &World {
        &self.house.world
    }

    /// Creates a token, for an account if one is named.
    pub(super) async fn token(&self, name: &str, role: Role, account: Option<&str>) -> String {
        let mut random = [0; 32];
        getrandom::fill(&mut random).unwrap();
        let token = Token::new(role, random);
        let account = match account {
            Some(id) => {
                let id: i32 = self.world().one(&format!("select id from account where external_id = '{id}'")).await;
                Some(AccountId(id))
            }
            None => None,
        };
        let new = NewToken { name, token: &token, account, expires_at: None };
        assert!(self.world().store().create_token(&new, "test", self.world().now).await.unwrap());
        token.reveal().to_owned()
    }

    pub(super) fn ask(&self, token: &str, request: Ask) -> Answer {
        ask(self.house.address, &request.with(&format!("Authorization: Bearer {token}")))
    }

    pub(super) fn get(&self, token: &str, path: &str) -> Answer {
        self.ask(token, Ask::get(&format!("{BASE}{path}")))
    }

    pub(super) fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.ask(token, Ask::post(&format!("{BASE}{path}"), &body.to_string()))
    }

    /// All items of a list, page by page.
    pub(super) fn all(&self, token: &str, path: &str, limit: usize) -> Vec<Value> {
        let (mut items, mut next) = (Vec::new(), None);
        loop {
            let sign = if path.contains('?') { '&' } else { '?' };
            let cursor = next.map(|next: String| format!("&cursor={next}")).unwrap_or_default();
            let answer = self.get(token, &format!("{path}{sign}limit={limit}{cursor}"));
            assert_eq!(answer.status, 200, "{answer:?}");
            let mut page = answer.json();
            let rows = page["items"].as_array_mut().unwrap();
            assert!(rows.len() <= limit);
            items.append(rows);
            let link = answer.header("link").map(str::to_owned);
            let Some(cursor) = page["next"].as_str() else {
                assert_eq!(link, None);
                return items;
            };
            assert!(link.is_some_and(|link| link.contains(&format!("cursor={cursor}>; rel=\"next\""))));
            next = Some(cursor.to_owned());
        }
    }

    /// Everything that a request may change.
    pub(super) async fn everything(&self) -> String {
        self.world()
            .one(
                "select concat_ws(E'\\n', (select string_agg(m::text, E'\\n' order by m::text) from message m),
                                  (select string_agg(t::text, E'\\n' order by t::text) from target t),
                                  (select string_agg(r::text, E'\\n' order by r::text) from run r),
                                  (select string_agg(s::text, E'\\n' order by s::text) from suppression s),
                                  (select string_agg(o::text, E'\\n' order by o::text) from override o),
                                  (select string_agg(p::text, E'\\n' order by p::text) from refused_plan p),
                                  (select string_agg(e::text, E'\\n' order by e::text) from event e),
                                  (select string_agg(q::text, E'\\n' order by q::text) from api_request q))",
            )
            .await
    }
}

/// Two accounts with people of their own. `shared` is for both, `first` and `second` for one each; two days are planned,
/// day 1 has gone out, and the message to `one-b` of `shared` is uncertain.
pub(super) async fn world() -> World {
    let mut world = World::at(MONDAY).await;
    for account in ["acc-one", "acc-two"] {
        world.account(account).await;
    }
    world.sql(&format!("update account set phone = '{PHONES}009' || id")).await;
    for (n, id, account) in
        [(1, "one-a", "acc-one"), (2, "one-b", "acc-one"), (3, "two-a", "acc-two"), (4, "two-b", "acc-two")]
    {
        let phone = format!("{PHONES}000{n}");
        world.person(Person { account, ..Person::new(id, &phone) }).await;
    }
    world.channel.fail(&format!("{PHONES}0002"), &[Fault::NoAnswer]);
    world
        .apply(&tree(
            2,
            NO_PACE,
            &[
                ("first", &format!("accounts: {{names: [acc-one]}}, priority: 20, {ALWAYS}")),
                ("second", &format!("accounts: {{names: [acc-two]}}, priority: 20, {ALWAYS}")),
                ("shared", &format!("priority: 10, {ALWAYS}")),
            ],
        ))
        .await;
    world.run_for(chrono::TimeDelta::hours(3)).await;
    world
}

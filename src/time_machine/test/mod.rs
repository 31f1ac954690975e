//! `CampaignTest`: a test told to the whole tree, in a [`World`](super::World) of its own.
//!
//! People come in through the production import, manifests through the production reconciler, and time passes as
//! it does for the daemon; expectations read what `relancectl get` reads. A test stops at the first step that does
//! not hold, with all that is wrong there.

mod compare;
mod events;
mod facts;
mod orders;
mod past;
mod rows;
mod story;

use crate::core::diagnostic::{Diagnostic, Place};
use crate::core::domain::{Name, Timestamp};
use crate::core::manifest::Draft;
use crate::core::manifest::testcase::CampaignTest;
use crate::postgres as embedded;
use crate::postgres::Scratch;
use crate::store::Store;
use crate::time_machine::world;
use serde_json::Value;
use thiserror::Error;

use self::story::Story;

/// What became of one test.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub name: Name,
    /// Of its name.
    pub place: Place,
    /// What is wrong at the step it stopped at; nothing when all is as expected.
    pub failures: Vec<Failure>,
}

/// One thing that is not as expected.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// At the expectation, or at the step that could not be done.
    pub finding: Diagnostic,
    /// Null where the test expects no rows.
    pub expected: Value,
    pub found: Value,
    /// Expected against found, line by line.
    pub diff: Vec<String>,
    /// The last events of those concerned, in their order.
    pub events: Vec<Happened>,
}

/// Something that happened in the world of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    pub to: Subject,
    /// `None`: how things stand.
    pub at: Option<Timestamp>,
    pub what: String,
}

/// Whose story it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A referral, by its id.
    Person(String),
    Run {
        campaign: String,
        account: String,
    },
}

/// Why a test could not be run, which says nothing about the tree.
#[derive(Debug, Error)]
pub enum Error {
    #[error(transparent)]
    Database(#[from] embedded::Error),
    #[error(transparent)]
    World(#[from] world::Error),
}

/// Runs one test against `tree`, in a database of its own.
pub async fn run(scratch: &Scratch, tree: &Draft, test: &CampaignTest) -> Result<Report, Error> {
    /// One works, one stages an import.
    const CONNECTIONS: u32 = 3;
    let database = scratch.create().await?;
    let told = async {
        let store = Store::open(&scratch.url(&database), CONNECTIONS).await.map_err(world::Error::from)?;
        let failures = Story::begin(store.clone(), tree.clone(), test).tell().await;
        store.close().await;
        failures
    };
    let failures = told.await;
    scratch.remove(&database).await?;
    Ok(Report { name: test.name.clone(), place: test.place.clone(), failures: failures? })
}

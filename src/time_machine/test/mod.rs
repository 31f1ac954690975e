//! `CampaignTest`: a test told to the whole tree, in a [`World`](super::World) of its own.
//!
//! People come in through the production import, manifests through the production reconciler, and time passes as
//! it does for the daemon; expectations read what `relancectl get` reads. A test stops at the first step that does
//! not hold, with all that is wrong there.

mod compare;
mod events;
mod facts;
mod failure;
mod orders;
mod past;
mod rows;
mod story;

use crate::core::diagnostic::Place;
use crate::core::domain::Name;
use crate::core::manifest::Draft;
use crate::core::manifest::testcase::CampaignTest;
use crate::postgres as embedded;
use crate::postgres::Scratch;
use crate::store::Store;
use crate::time_machine::world;
use thiserror::Error;

pub use self::failure::{Failure, Happened, Subject};
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

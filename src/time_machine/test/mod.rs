//! The runner of `CampaignTest`: it runs a test against the whole tree, in a [`World`](super::World) of its own.
//!
//! People enter through the production import and manifests through the production reconciler. Time passes as it does
//! for the daemon. Expectations read the rows that `relancectl get` reads. A test stops at the first step that does not
//! hold and reports everything that is wrong there.

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

/// The result of one test.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub name: Name,
    /// The place of the test's name.
    pub place: Place,
    /// The failures of the step at which the test stopped; empty if the test passed.
    pub failures: Vec<Failure>,
}

/// The reasons why a test could not be run; none of them concerns the tree.
#[derive(Debug, Error)]
pub enum Error {
    #[error(transparent)]
    Database(#[from] embedded::Error),
    #[error(transparent)]
    World(#[from] world::Error),
}

/// Runs one test against `tree`, in a database of its own.
pub async fn run(scratch: &Scratch, tree: &Draft, test: &CampaignTest) -> Result<Report, Error> {
    /// One connection does the work while another stages an import.
    const CONNECTIONS: u32 = 3;
    let database = scratch.create().await?;
    let played = async {
        let store = Store::open(&scratch.url(&database), CONNECTIONS).await.map_err(world::Error::from)?;
        let failures = Story::begin(store.clone(), tree.clone(), test).tell().await;
        store.close().await;
        failures
    };
    let failures = played.await;
    scratch.remove(&database).await?;
    Ok(Report { name: test.name.clone(), place: test.place.clone(), failures: failures? })
}

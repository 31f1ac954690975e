//! Plans on a database and on what was exported of another.

use std::io::BufReader;

use relance::core::domain::Timestamp;
use relance::core::plan::render::text as show;
use relance::daemon::reconcile::compare;
use relance::store::Store;
use relance::store::snapshot::file::{Attributes, LoadError, Reader, export};

use crate::support::world::sources;

/// Everything that a plan says.
pub(crate) async fn planned(yaml: &str, store: &Store, now: Timestamp) -> String {
    let mut comparison = compare(sources(yaml).into(), store).await.unwrap();
    store.count_effects(&mut comparison.plan, &comparison.desired, &comparison.in_force, now).await.unwrap();
    let overrides = store.overrides(now).await.unwrap();
    let refused = comparison.guard().err();
    let waiting = store.waiting_plan().await.unwrap().map(|waiting| (waiting.digest, waiting.approved_by));
    let plan = comparison.plan;
    format!("{}\n{}\n{overrides:#?}\n{refused:?}\n{waiting:?}", show::text(&plan), show::changes(&plan))
}

pub(crate) async fn exported(store: &Store, attributes: &[&str]) -> Vec<u8> {
    let attributes = Attributes::Asked(attributes.iter().map(|key| (*key).to_owned()).collect());
    let mut file = Vec::new();
    export(store, &attributes, &mut file).await.unwrap();
    file
}

pub(crate) async fn load(file: &[u8], store: &Store) -> Result<(), LoadError> {
    Reader::new(BufReader::new(file))?.load(store).await
}

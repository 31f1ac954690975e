//! A daemon as `relancectl run` configures it, but without manifest files.

use std::sync::Arc;
use std::time::Duration;

use relance::channel::Open;
use relance::core::domain::SourceId;
use relance::daemon::{Pulse, Roles, Supervisor};
use relance::source::{Claim, Source};
use relance::store::Store;
use tokio::sync::Notify;

pub(crate) fn daemon(store: &Store, open: Open, roles: Roles) -> Supervisor {
    Supervisor {
        store: store.clone(),
        open,
        courier: None,
        claim: Claim { source: SourceId::unnamed(None), take_over: false },
        source: Source::Directories(vec![]),
        poll: Duration::from_secs(30),
        roles,
        wake: Arc::new(Notify::new()),
        posted: Arc::default(),
        pulse: Pulse::default(),
    }
}

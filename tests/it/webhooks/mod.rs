//! What providers post: over real HTTP into a real Postgres, and what comes of it.

mod at_once;
mod crowd;
mod door;
mod handsets;
mod lifts;
mod moved;
mod order;
mod people;
mod statuses;
mod stops;

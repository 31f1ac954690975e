//! What providers post: over real HTTP into a real Postgres, and what comes of it.

mod crowd;
mod door;
mod handsets;
mod lifts;
mod people;
mod statuses;
mod stops;

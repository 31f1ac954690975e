//! Sending and enrolling, day by day, beyond the cases of `accidents`.

mod enrollment;
mod lifecycle;
mod order;
mod outcomes;
mod windows;

use crate::support::facts::Person;
use crate::support::world::World;

/// A Monday, nine in the morning in Douala.
pub(super) const MONDAY: &str = "2026-11-30T08:00:00Z";

pub(super) fn phone(n: usize) -> String {
    format!("+237671{n:06}")
}

/// A world on Monday with `people` of one account.
pub(super) async fn world_of(people: usize) -> World {
    let world = World::at(MONDAY).await;
    world.account("a1").await;
    for n in 1..=people {
        world.person(Person::new(&format!("r{n}"), &phone(n))).await;
    }
    world
}

//! The plan: the differences between the desired state and the state in force, as a value.
//!
//! A plan is complete: applying it takes no decision. Planning reads nothing and writes nothing.

mod affected;
mod ahead;
mod attributes;
mod diff;
pub mod forecast;
mod freeze;
mod guard;
mod objects;
pub mod render;
pub mod stored;
mod stored_object;
pub mod under_way;

pub use self::affected::affected;
pub use self::ahead::{outlives, slips};
pub use self::attributes::attributes;
pub use self::diff::{Action, Change, Effect, Field, Outlives, Plan, Slip, plan};
pub use self::freeze::{Freeze, Frozen, Kept, freeze, renames};
pub use self::guard::{Refusal, guard};
pub use self::objects::{Kind, Objects};
pub use self::render::markdown::markdown;
pub use self::stored_object::{FORMAT, StoredObject};

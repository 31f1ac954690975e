//! The API, on a real port with a world behind it.

mod access;
mod counts;
mod desk;
mod guide;
mod keys;
mod lists;
mod orders;
mod refusals;
mod scope;
mod tokens;

//! The worlds, servers and manifests that tests share. The fast and the slow program include this module, each for itself.

pub(crate) mod daemon;
pub(crate) mod database;
pub(crate) mod export;
pub(crate) mod facts;
pub(crate) mod followed;
pub(crate) mod house;
pub(crate) mod mail_server;
pub(crate) mod pooler;
pub(crate) mod receiver;
pub(crate) mod rows;
pub(crate) mod trees;
pub(crate) mod world;

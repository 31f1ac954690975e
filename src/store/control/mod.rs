//! Decisions of teams and operators: applied and approved plans, overrides, the log, notifications, leader election.

pub(super) mod apply;
pub(super) mod approval;
pub(super) mod demo;
pub(super) mod desired;
pub(super) mod erasure;
mod erasure_text;
pub(super) mod frozen;
pub(super) mod installation;
pub(super) mod leader_election;
pub(super) mod notification;
pub(super) mod order_effect;
pub(super) mod overrides;
pub(super) mod reopen;
pub(super) mod restored;
pub(super) mod resume_channel;

//! Feedback from providers and people: outcomes, receipts, webhooks, replies, suppressions, confirmations.

pub(super) mod confirmation;
pub(super) mod failed_receipt;
pub(in crate::store) mod handset;
pub(super) mod message;
pub(super) mod moved;
pub(super) mod opt_out;
pub(super) mod outcome;
pub(in crate::store) mod pending_stop;
pub(super) mod provider_message;
pub(super) mod provider_notice;
pub(super) mod provider_receipt;
pub(super) mod receipt;
pub(super) mod renamed;
pub(super) mod reply;
pub(super) mod review;
pub(super) mod suppression;
pub(super) mod webhook;

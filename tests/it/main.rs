//! Behaviour seen from outside: a file per behaviour, on a real Postgres where one is needed. Tests that take long are in
//! `tests/slow`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "the fast and the slow tests use different parts of it")]
mod support;

mod accidents;
mod accidents_out;
mod account_policy;
mod api;
mod architecture;
mod contact;
mod dispatcher;
mod docs;
mod edits;
mod embedded;
mod estimate;
mod explain;
mod facts;
mod fake_graph;
mod fetch;
mod gateway;
mod gateway_examples;
mod get;
mod gitops;
mod health;
mod history;
mod holds;
mod import;
mod lifecycle_table;
mod lock_order;
mod log;
mod look;
mod mail;
mod manifests;
mod notifiers;
mod operator;
mod overrides;
mod ownership;
mod plan;
mod preview;
mod query_plans;
mod query_scans;
mod receipts;
mod reconcile;
mod reference;
mod refused_rows;
mod replies;
mod resolve;
mod samples;
mod schema;
mod send_test;
mod sending;
mod several;
mod signatures;
mod source;
mod state;
mod store_errors;
mod stored_objects;
mod suppress;
mod webhooks;
mod whatsapp;

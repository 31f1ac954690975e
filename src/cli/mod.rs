//! The command line: one file per command. Errors are shown to the user only here.

mod actor;
mod answer;
mod apply;
mod approve;
mod columns;
mod compiled;
mod contact;
mod database;
mod db;
mod demo;
mod describe;
mod estimate;
mod exit;
mod explain;
mod export;
mod fake_graph;
mod get;
mod global;
mod import;
mod in_force;
mod instant;
mod keep_postgres;
mod known;
mod layout;
mod log;
mod logging;
mod operator;
mod out_file;
mod output;
mod overrides;
mod phones;
mod plan;
mod plan_from;
mod preview;
mod print;
mod reference;
mod resolve;
mod rows;
mod run;
mod schema;
mod scratch;
mod send_test;
pub mod server_programs;
mod signals;
mod simulate;
mod source;
mod suppress;
mod table;
mod test;
mod token;
mod validate;
mod workspace;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, Parser, Subcommand};

pub use self::exit::Exit;
pub use self::global::Global;
use crate::config::Config;
use crate::core::lifecycle::overrides::Action;

/// Follow-up campaigns from files: exact sending, honest plans.
#[derive(Debug, Parser)]
#[command(name = "relancectl", version, about, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check manifests; needs no database
    Validate(validate::Args),
    /// Run the tests of the tree; needs no database, network or secrets
    Test(test::Args),
    /// Show what the manifests would change
    Plan(plan::PlanArgs),
    /// Apply the manifests now
    Apply(apply::ApplyArgs),
    /// Approve a plan that the daemon refused as a probable accident
    Approve(approve::Args),
    /// Run the daemon: watch the files, enroll people, send messages
    Run(run::RunArgs),
    /// List campaigns, runs, targets, messages, accounts or revisions
    #[command(subcommand)]
    Get(get::Get),
    /// Show one campaign, account, run, target or revision in full
    #[command(subcommand)]
    Describe(describe::Describe),
    /// Show the history: orders, approvals, revisions, imports and phase changes, each with its actor and reason
    Log(log::Args),
    /// Stop campaigns from enrolling and sending, whatever their manifests say
    Pause(operator::Args),
    /// Lift a pause, including one set by the manifest or imposed by the provider
    Resume(operator::ResumeArgs),
    /// Start a draft, or a campaign before its start time
    Start(operator::Args),
    /// End a campaign's runs permanently; everybody in them leaves
    Cancel(operator::CancelArgs),
    /// Let the completed runs of a campaign enroll again; people who were in them stay out
    Reopen(operator::reopen::ReopenArgs),
    /// Record the outcome of uncertain messages; this sends nothing again
    Resolve(resolve::Args),
    /// Manage the phones that no campaign may write to
    #[command(subcommand)]
    Suppress(suppress::Suppress),
    /// Show, export or erase everything known about one person, by phone
    #[command(subcommand)]
    Contact(contact::Contact),
    /// Manage the tokens of the HTTP API
    #[command(subcommand)]
    Token(token::Command),
    /// Forecast a campaign: people it takes and excludes, duration, and others it delays
    Estimate(estimate::EstimateArgs),
    /// Show each day's message as it would be sent; reads the files, not the revision in force
    Preview(preview::PreviewArgs),
    /// Send one day from the files to your own phone over its real channel; it counts nowhere
    SendTest(send_test::Args),
    /// Simulate the files on a virtual clock: who is written to when, and the effect of an edit
    Simulate(simulate::SimulateArgs),
    /// Explain why a person gets no message, or the meaning of a code of `validate`
    Explain(explain::Args),
    /// Print the JSON Schema of a kind, or write all of them
    Schema(schema::Args),
    /// Manage the private Postgres under `.relance/`: show it, open a session, stop it
    #[command(subcommand)]
    Db(db::Db),
    /// Import accounts or referrals from an export
    Import(import::Import),
    /// Export the contents of the database to a file
    #[command(subcommand)]
    Export(export::Export),
    /// Write the reference pages of the documentation
    #[command(hide = true)]
    Reference(reference::Args),
    /// Keep a private Postgres running (started by the other commands)
    #[command(hide = true)]
    KeepPostgres(keep_postgres::KeepPostgres),
    /// Run a fake Graph API (for tests)
    #[command(hide = true)]
    FakeGraph(fake_graph::FakeGraphArgs),
}

/// Parses the command line of this process. A mistake ends the process with a sentence.
///
/// Hidden commands are for the program itself, so they are never suggested.
#[must_use]
pub fn parse() -> Cli {
    let hidden: Vec<String> =
        Cli::command().get_subcommands().filter(|it| it.is_hide_set()).map(|it| it.get_name().to_owned()).collect();
    Cli::try_parse().unwrap_or_else(|mut error| {
        let suggested = match error.get(ContextKind::SuggestedSubcommand) {
            Some(ContextValue::String(name)) => vec![name.clone()],
            Some(ContextValue::Strings(names)) => names.clone(),
            _ => Vec::new(),
        };
        if suggested.iter().any(|name| hidden.contains(name)) {
            let names = suggested.into_iter().filter(|name| !hidden.contains(name)).collect::<Vec<_>>();
            error.remove(ContextKind::SuggestedSubcommand);
            if !names.is_empty() {
                error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(names));
            }
        }
        error.exit()
    })
}

/// Runs one command line and returns the exit code of the process.
pub async fn run(cli: Cli) -> Exit {
    let global = &cli.global;
    let from_environment = Config::read();
    let config = Config { offline: from_environment.offline || global.offline, ..from_environment };
    let result = match cli.command {
        Command::Validate(args) => validate::run(global, &args, &config),
        Command::Test(args) => test::run(&args, global, &config).await,
        Command::Plan(args) => plan::run(&args, global, &config).await,
        Command::Apply(args) => apply::run(&args, global, &config).await,
        Command::Approve(args) => approve::run(&args, global, &config).await,
        Command::Run(args) => run::run(args, global, &config).await,
        Command::Get(get) => get::run(get, global, &config).await,
        Command::Describe(describe) => describe::run(describe, global, &config).await,
        Command::Log(args) => log::run(&args, global, &config).await,
        Command::Pause(args) => operator::run(Action::Pause, &args, global, &config).await,
        Command::Resume(args) => operator::resume(&args, global, &config).await,
        Command::Start(args) => operator::run(Action::Start, &args, global, &config).await,
        Command::Cancel(args) => operator::cancel(&args, global, &config).await,
        Command::Reopen(args) => operator::reopen::run(&args, global, &config).await,
        Command::Resolve(args) => resolve::run(&args, global, &config).await,
        Command::Suppress(command) => suppress::run(command, global, &config).await,
        Command::Contact(command) => contact::run(command, global, &config).await,
        Command::Token(command) => token::run(command, global, &config).await,
        Command::Estimate(args) => estimate::run(&args, global, &config).await,
        Command::Preview(args) => preview::run(&args, global, &config).await,
        Command::SendTest(args) => send_test::run(&args, global, &config).await,
        Command::Simulate(args) => Box::pin(simulate::run(&args, global, &config)).await,
        Command::Explain(args) => explain::run(&args, global, &config).await,
        Command::Schema(args) => schema::run(&args),
        Command::Db(command) => db::run(command, global, &config).await,
        Command::Import(import) => import::run(import, global, &config).await,
        Command::Export(export) => export::run(export, global, &config).await,
        Command::Reference(args) => reference::run(&args),
        Command::KeepPostgres(command) => keep_postgres::run(command).await,
        Command::FakeGraph(args) => fake_graph::run(args).await,
    };
    let finished = result.and_then(|exit| print::finish().map(|()| exit));
    finished.unwrap_or_else(|error| {
        print::error(&error);
        Exit::Environment
    })
}

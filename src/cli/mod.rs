//! The command line: one file a command. Errors meet the user here and nowhere else.

mod actor;
mod answer;
mod apply;
mod approve;
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
mod simulate;
mod source;
mod suppress;
mod table;
mod test;
mod validate;

use clap::{Parser, Subcommand};

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
    /// Run the tests of the tree; needs no database, no network and no secrets
    Test(test::Args),
    /// Show what the manifests would change
    Plan(plan::PlanArgs),
    /// Have the manifests take effect now
    Apply(apply::ApplyArgs),
    /// Have the daemon carry out a plan that it took for an accident
    Approve(approve::Args),
    /// Run the daemon: watch the files, enroll people, send messages
    Run(run::RunArgs),
    /// List campaigns, runs, targets, messages, accounts or revisions
    #[command(subcommand)]
    Get(get::Get),
    /// Show one campaign, run, target or revision in full
    #[command(subcommand)]
    Describe(describe::Describe),
    /// Show what happened: orders, approvals, revisions, imports, and every change of phase with who and why
    Log(log::Args),
    /// Keep campaigns from enrolling and sending, whatever their manifests say
    Pause(operator::Args),
    /// Lift a pause, the manifest's and the provider's included
    Resume(operator::ResumeArgs),
    /// Run a draft, or a campaign whose time has not come, from now on
    Start(operator::Args),
    /// End a campaign's runs for ever; everybody in them leaves
    Cancel(operator::CancelArgs),
    /// Say what became of messages whose fate nobody knew; nothing is sent again by it
    Resolve(resolve::Args),
    /// Who is not written to, whatever any campaign says
    #[command(subcommand)]
    Suppress(suppress::Suppress),
    /// Everything that is known of one person, by phone: show it, export it, erase it
    #[command(subcommand)]
    Contact(contact::Contact),
    /// Say what a campaign is going to do: whom it takes, why not others, how long it lasts, who waits because of it
    Estimate(estimate::EstimateArgs),
    /// Show each day's message as it would be sent; reads the files, not what is in force
    Preview(preview::PreviewArgs),
    /// Send one day of the files to a phone of yours, by the channel that it would go by; it counts nowhere
    SendTest(send_test::Args),
    /// Play the files through on a virtual clock: who is written to when, and what an edit changes
    Simulate(simulate::SimulateArgs),
    /// Explain why somebody is not written to, or a code of `validate`
    Explain(explain::Args),
    /// Print the JSON Schema of a kind, or write all of them
    Schema(schema::Args),
    /// The private Postgres under `.relance/`: where it is, a session in it, stopping it
    #[command(subcommand)]
    Db(db::Db),
    /// Read accounts or referrals from an export
    Import(import::Import),
    /// Write what is in the database to a file
    #[command(subcommand)]
    Export(export::Export),
    /// Write the reference pages of the documentation
    #[command(hide = true)]
    Reference(reference::Args),
    /// Keep a private Postgres running (started by the other commands)
    #[command(hide = true)]
    KeepPostgres(keep_postgres::KeepPostgres),
    /// Stand in for the Graph API (for tests)
    #[command(hide = true)]
    FakeGraph(fake_graph::FakeGraphArgs),
}

/// Runs one command line and says how the process should end.
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
        Command::Resolve(args) => resolve::run(&args, global, &config).await,
        Command::Suppress(command) => suppress::run(command, global, &config).await,
        Command::Contact(command) => contact::run(command, global, &config).await,
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
    result.unwrap_or_else(|error| {
        print::error(&error);
        Exit::Environment
    })
}

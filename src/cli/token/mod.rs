//! `relancectl token`: manages the bearer tokens of the API.

mod list;

use anyhow::{anyhow, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use serde_json::json;

use self::list::ListArgs;
use super::database::Database;
use super::output::Format;
use super::table::time;
use super::{Exit, Global, actor, known, print};
use crate::config::Config;
use crate::core::access::{Role, Token, name_fault};
use crate::core::domain::Period;
use crate::store::{NewToken, Revoked};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a token and show it once
    Create(CreateArgs),
    /// List the tokens, without the tokens themselves
    List(ListArgs),
    /// Revoke a token; the next request with it is refused
    Revoke(RevokeArgs),
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Rights of the token: `viewer` reads with masked phones, `operator` also gives orders, `ingest` pushes facts
    #[arg(long, value_parser = role())]
    role: Role,
    /// Name of the token, which the log shows as the actor
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Only this account: nothing of any other is shown or changed
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// How long it works, as in `90d` [default: until it is revoked]
    #[arg(long, value_name = "DURATION", value_parser = Period::parse)]
    expires: Option<Period>,
    #[command(flatten)]
    manner: Manner,
}

#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// Name of the token
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    manner: Manner,
}

/// The operator of a change, and the form of the report.
#[derive(Debug, Args)]
struct Manner {
    /// Name of the operator [default: $USER]
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

fn role() -> impl TypedValueParser<Value = Role> {
    let words = PossibleValuesParser::new(Role::ALL.map(Role::as_str));
    words.map(|word| Role::parse(&word).expect("only words that parse are possible"))
}

pub(super) async fn run(command: Command, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    match command {
        Command::Create(args) => create(&args, global, config).await,
        Command::List(args) => list::run(&args, global, config).await,
        Command::Revoke(args) => revoke(&args, global, config).await,
    }
}

async fn create(args: &CreateArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let actor = actor::actor(args.manner.actor.as_deref(), config)?;
    if let Some(fault) = name_fault(&args.name) {
        bail!("`{}` is no name for a token: {fault}", args.name);
    }
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| anyhow!("the system gives no random bits: {error}"))?;
    let token = Token::new(args.role, random);
    let store = &Database::open(global, config, 2).await?.store;
    let account = match &args.account {
        Some(id) => Some(known::account_id(store, id).await?),
        None => None,
    };
    let (now, _) = store.now().await?;
    let expires_at = args.expires.map(|lasting| now + std::time::Duration::from(lasting));
    if expires_at.is_some_and(|end| end <= now) {
        bail!("--expires must be a second at least");
    }
    let new = NewToken { name: &args.name, token: &token, account, expires_at };
    if !store.create_token(&new, actor, now).await? {
        bail!("a token `{0}` exists already: choose another name, or `relancectl token revoke {0}` first", args.name);
    }
    print::line(&match args.manner.output {
        Format::Text => {
            let end =
                expires_at.map_or_else(|| "until it is revoked".to_owned(), |at| format!("until {} UTC", time(at)));
            print::note(&format!("Keep this token now: it is not shown again. It works {end}."));
            token.reveal().to_owned()
        }
        Format::Json => serde_json::to_string_pretty(&json!({
            "token": token.reveal(),
            "name": args.name,
            "role": args.role,
            "account": args.account,
            "expires_at": expires_at,
        }))?,
    });
    Ok(Exit::Fine)
}

async fn revoke(args: &RevokeArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let actor = actor::actor(args.manner.actor.as_deref(), config)?;
    let store = &Database::open(global, config, 2).await?.store;
    let (now, _) = store.now().await?;
    let name = &args.name;
    match store.revoke_token(name, actor, now).await? {
        Revoked::Done => {}
        Revoked::Already => bail!("token `{name}` was revoked already"),
        Revoked::Unknown => {
            let names: Vec<String> = store.tokens().await?.into_iter().map(|row| row.name).collect();
            known::one_of("token", name, &names, "none was created yet; `relancectl token create` does")?;
        }
    }
    print::line(&match args.manner.output {
        Format::Text => format!("Revoked token `{name}`. Requests with it are refused from now on."),
        Format::Json => serde_json::to_string_pretty(&json!({ "revoked": name, "at": now }))?,
    });
    Ok(Exit::Fine)
}

//! `relancectl run`: the daemon.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, ValueEnum};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::database::Database;
use super::demo::Demo;
use super::demo::whatsapp::Guest;
use super::signals::stop_on_signals;
use super::source::SourceArgs;
use super::{Exit, Global, demo, logging};
use crate::channel::notify::Courier;
use crate::channel::outgoing::Outgoing;
use crate::channel::whatsapp::WhatsappCloud;
use crate::channel::{Channel, HAND_OVER, Http, Open, Smtp, Withheld};
use crate::config::Config;
use crate::core::diagnostic::did_you_mean;
use crate::core::domain::Period;
use crate::core::manifest::desired::Channel as Spec;
use crate::daemon::{Pulse, Roles, Sandbox, Supervisor};
use crate::server::{Exposure, Server};
use crate::source::Source;
use crate::store::{Speed, Store};

/// Database connections of a daemon: one for each loop, some for webhook requests, and some spare.
const CONNECTIONS: u32 = 20;
/// The time a shutdown waits for hand-overs in flight. Unrecorded ones become uncertain.
const DRAIN: Duration = Duration::from_secs(22);
/// The time a shutdown waits for the connections and the private server, which its keeper stops otherwise.
const CLOSE: Duration = Duration::from_secs(5);
const _: () = assert!(HAND_OVER.as_secs() < DRAIN.as_secs(), "a shutdown waits longer than a hand-over takes");

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Try relance out: a fresh database with the sample members, nothing leaves this machine, a week in about three
    /// minutes
    #[arg(long, value_enum, value_name = "CHANNEL", num_args = 0..=1, require_equals = true, default_missing_value = "sandbox")]
    demo: Option<Demo>,
    /// Run the clock this many times as fast as real time; only for databases that send nothing real
    #[arg(long, value_name = "N", conflicts_with = "demo")]
    speed: Option<f64>,
    /// Roles of this process, with commas or spaces between them: `reconcile` (watch the files and apply them; among
    /// several daemons, one at a time does), `enroll` (enroll people and move runs on), `send` (send messages, and the
    /// notifications that notifiers request), `serve` (receive webhooks; needs --listen, which implies it)
    #[arg(long, value_name = "ROLES", default_value = "reconcile,enroll,send", value_parser = parse_roles)]
    roles: Parsed,
    /// Address to listen at for webhooks and the API, as in `127.0.0.1:8080`; port 0 takes a free one. On an address that
    /// others reach, the API also needs --public-url
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Address at which clients reach the API, as in `https://relance.example.com`; TLS ends in front of this process
    #[arg(long, value_name = "URL", requires = "listen")]
    public_url: Option<String>,
    /// With --public-url `http://…`: serve the API without TLS, although tokens then cross the network in plain text
    #[arg(long, requires = "public_url")]
    allow_plain_http: bool,
    #[command(flatten)]
    source: SourceArgs,
    /// With --git: interval between two checks of the repository, as in `30s`
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = some_time)]
    git_poll: Period,
    /// Format of the log
    #[arg(long, value_enum, default_value_t = logging::Format::Text)]
    log_format: logging::Format,
}

/// The roles of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parsed(Vec<Role>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    Reconcile,
    Enroll,
    Send,
    Serve,
}

/// Parses roles with commas, spaces or both between them.
fn parse_roles(text: &str) -> Result<Parsed, String> {
    const KNOWN: [&str; 4] = ["reconcile", "enroll", "send", "serve"];
    let words = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
    let role = |word: &str| {
        let hint = did_you_mean(word, KNOWN).unwrap_or_else(|| format!("roles are `{}`", KNOWN.join("`, `")));
        Role::from_str(word, true).map_err(|_| format!("there is no role `{word}`; {hint}"))
    };
    let roles = words.map(role).collect::<Result<Vec<_>, _>>()?;
    if roles.is_empty() { Err(format!("name a role at least: `{}`", KNOWN.join("`, `"))) } else { Ok(Parsed(roles)) }
}

pub(super) async fn run(args: RunArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    logging::start(config, args.log_format);
    let mut source = args.source.source(global)?;
    if args.demo.is_some() && args.source.is_git() {
        bail!("the demo shows how edits of files here take effect: leave --git out");
    }
    // The fake Graph API needs an address to which it reports receipts.
    let anywhere = (args.demo == Some(Demo::Whatsapp)).then_some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let listen = args.listen.or(anywhere);
    let roles = roles(&args.roles.0, listen)?;
    if let Some(url) = global.database_url() {
        Store::refuse_few_connections(url, CONNECTIONS).await?;
    }
    let database = if args.demo.is_some() {
        demo::prepare(global, config, &global.directories(), CONNECTIONS).await?
    } else {
        let database = Database::open(global, config, CONNECTIONS).await?;
        database.refuse_demo().await?;
        database
    };
    if let Some(speed) = args.speed {
        hurry(&database.store, speed).await?;
    }
    let stop = stop_on_signals()?;
    let posted = Arc::new(Notify::new());
    let server = match listen {
        Some(address) => {
            let exposure = exposure(&args, address)?;
            let server = Server::bind(address, database.store.clone(), Arc::clone(&posted)).await?;
            Some(server.exposed(exposure))
        }
        None => None,
    };
    let mut guest = None;
    if let (Some(Demo::Whatsapp), Some(server)) = (args.demo, &server) {
        let (fake_graph, manifests) = Guest::invite(&database.store, server.address()).await?;
        source = Source::Directories(global.directories().into_iter().chain([manifests]).collect());
        guest = Some(fake_graph);
    }
    let supervisor = Supervisor {
        store: database.store.clone(),
        open: channels(database.store.clone()).await?,
        // A demo sends no notifications.
        courier: if args.demo.is_some() { None } else { Some(Courier::new(Outgoing::new())) },
        claim: args.source.claim(&source, false),
        source,
        poll: args.git_poll.into(),
        roles,
        wake: Arc::new(Notify::new()),
        posted,
        pulse: Pulse::default(),
    };
    let (now, speed) = database.store.now().await?;
    if speed != Speed(1.0) && args.demo.is_none() {
        tracing::warn!("the clock of this database runs {} times as fast as time does", speed.0);
    }
    tracing::info!(clock = %now.format("%Y-%m-%d %H:%M:%S UTC"), speed = speed.0, "running");
    let pulse = supervisor.pulse.clone();
    let server = server.map(|server| server.complaining(Arc::new(move || pulse.complaint())));
    // What is left of the work ends with this block, and gives its connections back.
    {
        let work = async { tokio::join!(supervisor.run(&stop), serve(server, &stop)) };
        tokio::pin!(work);
        tokio::select! {
            _ = &mut work => {}
            () = stop.cancelled() => {
                tracing::info!("stopping: no new claims, waiting for what is being handed over");
                if tokio::time::timeout(DRAIN, work).await.is_err() {
                    tracing::warn!("some hand-overs did not end in time; their messages will be uncertain");
                }
            }
        }
    }
    drop(guest);
    if let Ok(closed) = tokio::time::timeout(CLOSE, database.close()).await {
        closed?;
    } else {
        tracing::warn!("the database did not let go in time");
    }
    tracing::info!("stopped");
    Ok(Exit::Fine)
}

/// Parses a duration and refuses zero.
fn some_time(text: &str) -> Result<Period, String> {
    let period = Period::parse(text)?;
    if Duration::from(period).is_zero() { Err("it must be a second at least".to_owned()) } else { Ok(period) }
}

/// Sets the clock to run `speed` times as fast from now on.
async fn hurry(store: &Store, speed: f64) -> anyhow::Result<()> {
    if !(speed.is_finite() && (0.001..=100_000.0).contains(&speed)) {
        bail!("--speed {speed} is out of range: use 0.001 to 100000");
    }
    // A clock that was set before is that of a database for trials.
    if store.has_people().await? && store.is_real_time().await? && !store.is_demo().await? {
        bail!(
            "--speed is for trials, and the database here has people: their messages would never leave, and their days \
             would be over in minutes; begin with an empty database"
        );
    }
    let (now, _) = store.now().await?;
    store.set_clock(now, Speed(speed)).await?;
    Ok(())
}

/// Decides if the API is served at `listen`.
fn exposure(args: &RunArgs, listen: SocketAddr) -> anyhow::Result<Option<Exposure>> {
    let exposure =
        Exposure::of(listen, args.public_url.as_deref(), args.allow_plain_http).map_err(anyhow::Error::msg)?;
    if exposure.is_none() {
        tracing::info!("the API is off, because others reach {listen}: --public-url https://… turns it on behind TLS");
    }
    Ok(exposure)
}

fn roles(roles: &[Role], listen: Option<SocketAddr>) -> anyhow::Result<Roles> {
    if roles.contains(&Role::Serve) && listen.is_none() {
        bail!("the role `serve` needs an address: add `--listen 127.0.0.1:8080`");
    }
    Ok(Roles {
        reconcile: roles.contains(&Role::Reconcile),
        enroll: roles.contains(&Role::Enroll),
        send: roles.contains(&Role::Send),
        serve: listen.is_some(),
    })
}

async fn serve(server: Option<Server>, stop: &CancellationToken) {
    if let Some(server) = server {
        tracing::info!(address = %server.address(), "listening");
        server.run(stop).await;
    }
}

/// Makes the channels of this version. On a clock that is not the real one, withholds every channel that leaves this
/// machine.
pub(super) async fn channels(store: Store) -> anyhow::Result<Open> {
    let installation_id = store.installation_id().await?;
    let is_real_time = store.is_real_time().await?;
    Ok(Arc::new(move |spec| -> Arc<dyn Channel> {
        let installation_id = installation_id.clone();
        match spec {
            Some(spec) if !is_real_time && !spec.is_local() => Arc::new(Withheld),
            None => Arc::new(Sandbox::new(store.clone(), Duration::ZERO)),
            Some(Spec::Sandbox { latency }) => Arc::new(Sandbox::new(store.clone(), Duration::from(*latency))),
            Some(Spec::WhatsappCloud(spec)) => {
                Arc::new(WhatsappCloud::new((**spec).clone()).for_installation(installation_id))
            }
            Some(Spec::Http(spec)) => Arc::new(Http::new((**spec).clone()).for_installation(installation_id)),
            Some(Spec::Smtp(spec)) => Arc::new(Smtp::new((**spec).clone()).for_installation(installation_id)),
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::{Parsed, Role, parse_roles};

    #[test]
    fn roles_are_separated_by_commas_or_spaces() {
        let both = Parsed(vec![Role::Reconcile, Role::Send]);
        for text in ["reconcile,send", "reconcile, send", " reconcile send ", "reconcile,,send,", "Reconcile ,\tSEND"] {
            assert_eq!(parse_roles(text).as_ref(), Ok(&both), "{text:?}");
        }
        assert_eq!(parse_roles("reconcile, sned").unwrap_err(), "there is no role `sned`; did you mean `send`?");
        for text in ["", " ", ",", "all"] {
            assert!(parse_roles(text).is_err(), "{text:?}");
        }
    }
}

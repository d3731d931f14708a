//! `lychgate up`: everything in one process; what is not configured is embedded.
//!
//! The order is the contract: the data directory's lock, settings, the private database, the schema, the listeners;
//! then addresses are printed, and gateway and worker run until a signal. What was started is stopped in the opposite
//! order.

pub(crate) mod addresses;
mod first;
mod welcome;

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use lychgate_common::{
    process::{self, Addresses, Duty, Ground, Options, StartError},
    queue::{Queue, QueueState},
    settings::{DEFAULT_FILE, Override},
    source::Source,
};
use tokio::sync::watch;

use self::welcome::Welcome;
use crate::{
    cli::UpOptions,
    embedded::{DataDir, Embedded},
    output,
    settings::Found,
};

/// How long a broker may take to answer before the person who started us is told.
const BROKER: Duration = Duration::from_secs(3);

/// Runs until it is told to stop.
pub(crate) fn run(options: &UpOptions, common: &Options) -> anyhow::Result<()> {
    let data = if options.ephemeral { DataDir::ephemeral()? } else { DataDir::open(&options.data)? };
    let (file, first_time) = settings_file(&data, common)?;
    let found = Found::read_with(Some(file), common, overrides(options))?;
    let sources = process::sources(&found.settings)?;
    found.tell_of_no_console();
    let listener = process::bind(found.settings.gateway.listen, "--listen ADDRESS")?;
    let ops = process::bind(found.settings.ops.listen, "--ops ADDRESS")?;
    let embedded = match found.settings.database.url {
        Some(_) => None,
        None => {
            let binaries = found.settings.database.binaries.as_deref();
            Some(Embedded::start(&data, binaries, &mut |note| output::aside(format_args!("note: {note}")))?)
        }
    };
    process::announce("up", &found.settings)?;
    let database = match &embedded {
        Some(embedded) => found.settings.database.store(embedded.url()),
        None => found.store_settings()?,
    };
    let mut addresses = Addresses::default();
    let listen = addresses.add("listen", &listener)?;
    addresses.add("ops", &ops)?;
    let welcome =
        Welcome { found: &found, sources: &sources, data: data.path(), embedded: embedded.as_ref(), first_time };
    let text = welcome.text(listen);
    // Written before the doors open: whoever reads the printed lines finds the file, too.
    let kept = addresses::keep(&addresses, data.path())?;
    let ready = || {
        addresses.print();
        output::aside(&text);
    };
    let served = process::run(&found.settings, async |stop| {
        let settings = Arc::new(found.settings.clone());
        serve(Ground::open(settings, &database, stop)?, sources, listener, ops, ready).await
    });
    drop(kept);
    if let Some(embedded) = embedded {
        embedded.stop();
    }
    Ok(served?)
}

/// The settings that are named, those that stand here, else those of the data directory, written if this is the first
/// time (which the flag says).
fn settings_file(data: &DataDir, common: &Options) -> anyhow::Result<(PathBuf, bool)> {
    if let Some(file) = &common.config {
        return Ok((file.clone(), false));
    }
    let here = Path::new(DEFAULT_FILE);
    if here.exists() {
        return Ok((here.to_path_buf(), false));
    }
    let own = data.file(DEFAULT_FILE);
    let first_time = !own.exists();
    if first_time {
        first::write(&own)?;
    }
    Ok((own, first_time))
}

/// The options of `up` that override settings.
fn overrides(options: &UpOptions) -> Vec<Override> {
    let given = [
        ("gateway.listen", "--listen", options.listen),
        ("ops.listen", "--ops", options.ops),
        ("console.listen", "--console", options.console),
    ];
    let one = |(key, option, address): (_, _, Option<std::net::SocketAddr>)| {
        address.map(|address| Override { key, option, value: address.to_string() })
    };
    given.into_iter().filter_map(one).collect()
}

/// Says so where RabbitMQ does not answer, because everything else looks as if it did.
async fn tell_if_away(mut state: watch::Receiver<QueueState>) {
    let up = state.wait_for(QueueState::is_up);
    if tokio::time::timeout(BROKER, up).await.is_ok() {
        return;
    }
    if let QueueState::Degraded(why) = &*state.borrow() {
        output::aside(format_args!(
            "note: RabbitMQ is not to be had ({why}). Webhooks are accepted and kept; they are processed once it is there."
        ));
    }
}

/// Brings the schema up to date, says that we are ready, and runs gateway and worker to their end.
async fn serve(
    mut ground: Ground,
    sources: Vec<Source>,
    listener: TcpListener,
    ops: TcpListener,
    ready: impl FnOnce(),
) -> Result<(), StartError> {
    ground.store.migrate().await?;
    ground.reload_on_hangup()?;
    ground.serve_ops(ops, Duty::Accept, lychgate_worker::process::checks(&ground))?;
    ready();
    if let Queue::Broker(broker) = &ground.queue {
        tokio::spawn(tell_if_away(broker.watch()));
    }
    ground.rehearse = Some(lychgate_worker::process::rehearser(&ground, &sources)?);
    let working = lychgate_worker::process::work(&ground, &sources);
    let accepting = lychgate_gateway::process::accept(&ground, sources.clone(), listener);
    let ended = tokio::try_join!(accepting, working);
    ground.close().await;
    ended.map(|_| ())
}

//! The gateway as a process: listeners, ground, corridor, and their end. Also the gateway's half of `lychgate up`.

use std::{net::TcpListener, pin::pin, sync::Arc, time::Duration};

use lychgate_common::{
    ops::Health,
    outcome::Outcome,
    process::{self, Addresses, Duty, Ground, StartError},
    queue::Queue,
    settings::Settings,
    source::Source,
    webhook::Desk,
};

use crate::{House, Metrics, Parts, serve};

/// How long the first word of PostgreSQL, and then of RabbitMQ, may take before senders are served without it: they wait
/// meanwhile.
const FIRST_WORD: Duration = Duration::from_secs(2);

/// Runs a gateway until it is told to stop.
pub fn run(settings: Settings) -> Result<(), StartError> {
    let settings = Arc::new(settings);
    let sources = process::sources(&settings)?;
    let database = settings.database.required().map_err(|fault| StartError::Settings(fault.into()))?;
    let listener = process::bind(settings.gateway.listen, "`gateway.listen`")?;
    let ops = process::bind(settings.ops.listen, "`ops.listen`")?;
    process::announce("gateway", &settings)?;
    let mut addresses = Addresses::default();
    addresses.add("listen", &listener)?;
    addresses.add("ops", &ops)?;
    process::run(&settings, async |stop| {
        let ground = Ground::open(Arc::clone(&settings), &database, stop)?;
        ground.reload_on_hangup()?;
        ground.serve_ops(ops, Duty::Accept, Health::new())?;
        addresses.print();
        let mut waiting = pin!(ground.wait_for_store());
        match tokio::time::timeout(FIRST_WORD, &mut waiting).await {
            Ok(there) => {
                if there? {
                    accept(&ground, sources, listener).await?;
                }
            }
            // Senders are answered all the same; a schema that turns out to be another one still ends the process.
            Err(_) => {
                tokio::try_join!(accept(&ground, sources, listener), waiting)?;
            }
        }
        ground.close().await;
        Ok(())
    })
}

/// Accepts webhooks upon this ground until it is told to stop, and drains.
pub async fn accept(ground: &Ground, sources: Vec<Source>, listener: TcpListener) -> Result<(), StartError> {
    let listener = tokio::net::TcpListener::from_std(listener).map_err(StartError::Runtime)?;
    let metrics = Metrics::new(&ground.registry, &sources)?;
    let house = House::new(Parts {
        settings: Arc::clone(&ground.settings),
        sources,
        store: ground.store.clone(),
        queue: ground.queue.clone(),
        outcomes: ground.outcomes.clone(),
        campuses: ground.campuses.clone(),
        metrics,
        clock: ground.clock.clone(),
        rehearse: ground.rehearse.clone(),
        desk: Desk::new(ground),
    });
    let reloading = {
        let house = Arc::clone(&house);
        ground.on_reload(move |sources| house.reload(sources.to_vec()))
    };
    let listening = tokio::spawn(hear_outcomes(ground.clone()));
    first_word(ground).await;
    serve(house, listener, ground.stop.clone()).await;
    listening.abort();
    reloading.abort();
    Ok(())
}

/// Waits a moment for RabbitMQ: whatever is accepted before it is there has to wait for the sweeper. Senders who come
/// meanwhile wait in the listener's backlog.
async fn first_word(ground: &Ground) {
    let Queue::Broker(broker) = &ground.queue else { return };
    tokio::select! {
        _ = tokio::time::timeout(FIRST_WORD, broker.tried()) => {}
        () = ground.stop.stopping() => {}
    }
}

/// Tells those who wait what workers in other processes answer.
async fn hear_outcomes(ground: Ground) {
    let Queue::Broker(broker) = &ground.queue else { return };
    let mut replies = broker.replies();
    while let Some((id, bytes)) = replies.recv().await {
        match Outcome::from_bytes(&bytes) {
            Some(outcome) => ground.outcomes.tell(id, &outcome),
            None => tracing::warn!(event = %id, "an outcome cannot be read; another version's worker?"),
        }
    }
}

//! The worker as a process: ground, handlers, corridor, and their end. Also the worker's half of `lychgate up`.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use lychgate_common::{
    campus::Directory,
    event::Event,
    ops::{Health, State},
    process::{self, Addresses, Duty, Ground, StartError},
    rehearse::Rehearse,
    settings::Settings,
    source::{MAIL, Source},
    store::{Store, WorkerName},
    telemetry::{BUILD, VERSION},
    vault::Vault,
    webhook::DELIVERY_PRESET,
};
use serde_json::Value;

use crate::{
    House, Metrics, Parts,
    breaker::{BreakerSettings, Breakers},
    core_api::CoreApi,
    handlers::{
        Registry,
        atomic_guide::{Internal, LearningPlatform, Service, Transcriptions},
        faithflow::FaithFlow,
        forward::Couriers,
        platform::Platform,
        social_share::SocialShare,
        stripe::Stripe,
        systemeio::SystemeIo,
        webhooks::Deliveries,
    },
    mail::{Courier, Mails},
    operate::rehearse::rehearse_event,
    reconcile::{self, Reconciler},
    run as work_upon,
    supabase::Supabase,
};

/// Runs a worker until it is told to stop.
pub fn run(settings: Settings) -> Result<(), StartError> {
    let settings = Arc::new(settings);
    let sources = process::sources(&settings)?;
    let database = settings.database.required().map_err(|fault| StartError::Settings(fault.into()))?;
    let ops = process::bind(settings.ops.listen, "`ops.listen`")?;
    process::announce("worker", &settings)?;
    let mut addresses = Addresses::default();
    addresses.add("ops", &ops)?;
    process::run(&settings, async |stop| {
        let ground = Ground::open(Arc::clone(&settings), &database, stop)?;
        ground.reload_on_hangup()?;
        ground.serve_ops(ops, Duty::Work, checks(&ground))?;
        addresses.print();
        if ground.wait_for_store().await? {
            work(&ground, &sources).await?;
        }
        ground.close().await;
        Ok(())
    })
}

/// Processes events upon this ground until it is told to stop, and drains.
pub async fn work(ground: &Ground, sources: &[Source]) -> Result<(), StartError> {
    let name = WorkerName { worker: worker_name(), build: format!("{VERSION}+{BUILD}") };
    let core = core_api(ground)?;
    let reconciling = core.as_ref().zip(ground.campuses.as_ref()).map(|(core, campuses)| {
        let reconciler = reconciler(ground, core, campuses, &name.worker);
        tokio::spawn(reconcile::run(Arc::new(reconciler), ground.stop.token()))
    });
    let couriers = couriers(ground)?;
    let supabase = supabase(ground)?;
    let mut breakers = vec![("forward", couriers.breakers().clone())];
    breakers.extend(core.as_ref().map(|core| ("core_api", core.breakers().clone())));
    breakers.extend(supabase.as_ref().map(|supabase| ("supabase", supabase.breakers().clone())));
    let endpoints = endpoints(ground)?;
    breakers.push(("webhooks", endpoints.breakers().clone()));
    let courier = courier(ground)?;
    match &courier {
        Some(courier) => tracing::info!(way = courier.way(), "mails are sent"),
        None => tracing::info!("mails are not sent and wait: set mail.by to send them"),
    }
    breakers.extend(courier.as_ref().map(|courier| ("mail", courier.breakers().clone())));
    let base = registry(ground, core, supabase, endpoints, courier)?;
    let house = House::new(Parts {
        settings: Arc::clone(&ground.settings),
        store: ground.store.clone(),
        queue: ground.queue.clone(),
        outcomes: ground.outcomes.clone(),
        registry: base.clone().with_sources(sources, &couriers, &ground.store),
        breakers,
        metrics: Metrics::new(&ground.registry, sources)?,
        clock: ground.clock.clone(),
        name,
    });
    let reloading = {
        let (house, store) = (Arc::clone(&house), ground.store.clone());
        ground.on_reload(move |sources| {
            house.reload(base.clone().with_sources(sources, &couriers, &store), sources);
        })
    };
    if let Some(vault) = &ground.vault {
        reseal(&ground.store, vault).await;
    }
    let asked = work_upon(house, ground.stop.clone()).await;
    reloading.abort();
    if let Some(reconciling) = reconciling {
        // Between two steps it has noticed the same stop; a run that was cut goes on in the next process.
        tokio::select! {
            _ = reconciling => {}
            () = ground.stop.now() => {}
        }
    }
    if asked { Ok(()) } else { Err(StartError::Deserted) }
}

/// Seals anew, with the current key, whatever an older one sealed.
async fn reseal(store: &Store, vault: &Vault) {
    let (campuses, webhooks) = (store.reseal_campuses(vault).await, store.reseal_webhooks(vault).await);
    let errors = [campuses.as_ref().err().map(ToString::to_string), webhooks.as_ref().err().map(ToString::to_string)];
    for error in errors.into_iter().flatten() {
        tracing::warn!(error, "credentials could not be sealed anew; the old keys are still needed");
    }
    match campuses.unwrap_or(0) + webhooks.unwrap_or(0) {
        0 => {}
        resealed => tracing::info!(resealed, "credentials were sealed anew with the current key"),
    }
}

/// What a worker's health knows beside the ground's: whether mails wait that nobody sends.
pub fn checks(ground: &Ground) -> Health {
    let (store, configured) = (ground.store.clone(), ground.settings.mail.is_configured());
    Health::new().check("mail", move || {
        let store = store.clone();
        async move {
            match store.mail_backlog().await {
                Ok(backlog) if backlog.pending > 0 && !configured => {
                    let pending = backlog.pending;
                    State::Degraded(format!("{pending} mails wait: set mail.by to send them"))
                }
                // A store that is away is a check of its own.
                Ok(_) | Err(_) => State::Up,
            }
        }
    })
}

/// Rehearses for the gateway in the same process.
#[derive(Debug)]
struct Rehearser(Registry);

impl Rehearse for Rehearser {
    fn rehearse<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Value> {
        Box::pin(async { serde_json::to_value(rehearse_event(&self.0, event).await).unwrap_or_default() })
    }
}

/// What a gateway upon this ground asks about payloads.
pub fn rehearser(ground: &Ground, sources: &[Source]) -> Result<Arc<dyn Rehearse>, StartError> {
    Ok(Arc::new(Rehearser(handlers(ground, sources)?)))
}

/// The handlers that this ground can feed, for the corridor and for rehearsals.
pub fn handlers(ground: &Ground, sources: &[Source]) -> Result<Registry, StartError> {
    Ok(registry(ground, core_api(ground)?, supabase(ground)?, endpoints(ground)?, courier(ground)?)?.with_sources(
        sources,
        &couriers(ground)?,
        &ground.store,
    ))
}

/// The handlers by preset: one line each.
fn registry(
    ground: &Ground,
    core: Option<CoreApi>,
    supabase: Option<Supabase>,
    endpoints: Couriers,
    courier: Option<Courier>,
) -> Result<Registry, StartError> {
    let settings = &ground.settings;
    let transcriptions = Transcriptions::open(&settings.transcription, &settings.embeddings, &ground.clock)
        .map_err(StartError::Runtime)?;
    let deliveries = Deliveries::new(ground.store.clone(), ground.vault.clone(), endpoints, &settings.webhooks);
    let mut registry = Registry::new()
        .with(DELIVERY_PRESET, deliveries)
        .with("platform", Platform)
        .with("stripe", Stripe::new(ground.store.clone()))
        .with("social-share", SocialShare)
        .with("lti", LearningPlatform)
        .with("canvas", LearningPlatform)
        .with("moodle", LearningPlatform)
        .with("service", Service::new(transcriptions))
        .with("internal", Internal)
        .with(MAIL, Mails::new(ground.store.clone(), ground.vault.clone(), courier));
    let ibam = &ground.settings.ibam;
    for (preset, handler) in SystemeIo::handlers(ground.store.clone(), supabase, ground.vault.clone(), ibam) {
        registry = registry.with(preset, handler);
    }
    Ok(match (core, &ground.campuses) {
        (Some(core), Some(campuses)) => {
            registry.with("faithflow", FaithFlow::new(Arc::clone(campuses), ground.store.clone(), core))
        }
        (_, _) => registry,
    })
}

fn couriers(ground: &Ground) -> Result<Couriers, StartError> {
    let settings = &ground.settings.forward;
    Couriers::open(settings, settings.in_flight).map_err(StartError::Runtime)
}

/// The couriers to webhooks' endpoints: apart, because each webhook has a breaker of its own, whoever shares its host.
fn endpoints(ground: &Ground) -> Result<Couriers, StartError> {
    let settings = &ground.settings;
    Couriers::open(&settings.forward, settings.webhooks.in_flight).map_err(StartError::Runtime)
}

fn courier(ground: &Ground) -> Result<Option<Courier>, StartError> {
    Courier::open(&ground.settings.mail).map_err(StartError::Runtime)
}

fn supabase(ground: &Ground) -> Result<Option<Supabase>, StartError> {
    Supabase::open(&ground.settings.supabase).map_err(StartError::Runtime)
}

fn core_api(ground: &Ground) -> Result<Option<CoreApi>, StartError> {
    if ground.campuses.is_none() {
        return Ok(None);
    }
    let settings = &ground.settings.faithflow;
    let breakers = Breakers::new(BreakerSettings::from(settings));
    CoreApi::open(settings, breakers).map(Some).map_err(StartError::Runtime)
}

fn reconciler(ground: &Ground, core: &CoreApi, campuses: &Arc<Directory>, worker: &str) -> Reconciler {
    let settings = (&ground.settings.faithflow).into();
    Reconciler::new(ground.store.clone(), Arc::clone(campuses), core.clone(), settings, worker)
}

/// Host and process id: what heartbeats and attempts are recorded under.
fn worker_name() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{host}:{}", std::process::id())
}

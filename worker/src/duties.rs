//! What a worker does beside its corridor: sweeping, housekeeping, showing that it is alive, burying strays, giving
//! orders that wait to suppliers, telling webhooks, taking mails up.
//!
//! Each duty is short, repeatable, and safe on several workers at once; none holds a lock over a network call.

mod alive;
mod gauges;
mod mails;
mod security;
mod strays;
mod suppliers;
mod sweep;
pub(crate) mod tell;
mod upkeep;

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use lychgate_common::{queue::Queue, stop::Stop};
use tokio::task::JoinSet;

use crate::house::House;

/// Starts every duty that this house has.
pub(crate) fn start(house: &Arc<House>, stop: &Stop) -> JoinSet<()> {
    let mut duties = JoinSet::new();
    duties.spawn(every(upkeep::EVERY, stop.clone(), Arc::clone(house), upkeep::upkeep));
    duties.spawn(every(alive::EVERY, stop.clone(), Arc::clone(house), alive::beat));
    duties.spawn(every(gauges::EVERY, stop.clone(), Arc::clone(house), gauges::gauge));
    duties.spawn(every(suppliers::EVERY, stop.clone(), Arc::clone(house), suppliers::assign));
    duties.spawn(every(tell::EVERY, stop.clone(), Arc::clone(house), tell::look));
    duties.spawn(tell::publish(Arc::clone(house), stop.clone()));
    let alert = Arc::new(security::Alert::default());
    let watch = move |house| security::watch(house, Arc::clone(&alert));
    duties.spawn(every(security::EVERY, stop.clone(), Arc::clone(house), watch));
    if house.settings.mail.is_configured() {
        duties.spawn(mails::take_up(Arc::clone(house), stop.clone()));
        duties.spawn(mails::hear(Arc::clone(house), stop.clone()));
    }
    if let Queue::Broker(broker) = &house.queue {
        duties.spawn(every(house.settings.sweep.interval, stop.clone(), Arc::clone(house), sweep::sweep));
        duties.spawn(strays::bury(Arc::clone(house), broker.drain_dead(stop.token())));
    }
    duties
}

/// Does something now and then until stopped. A duty that panics has missed one turn; the next is tried all the same,
/// for nobody would notice a worker without a sweeper.
async fn every<F, W>(pause: Duration, stop: Stop, house: Arc<House>, duty: W)
where
    F: Future<Output = ()>,
    W: Fn(Arc<House>) -> F,
{
    let mut tick = tokio::time::interval(pause);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {
                // The log has the panic's own words (`telemetry`).
                let _ = AssertUnwindSafe(duty(Arc::clone(&house))).catch_unwind().await;
            }
            () = stop.stopping() => return,
        }
    }
}

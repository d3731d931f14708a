//! Measures what is waiting, for the metrics.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use lychgate_common::{queue::Queue, store::EventFilter};

use crate::house::House;

/// Often enough for a scrape every 15 s.
pub(crate) const EVERY: Duration = Duration::from_secs(10);

/// One look.
pub(crate) async fn gauge(house: Arc<House>) {
    match house.store.backlog().await {
        Ok(backlog) => {
            let age = backlog.oldest.map_or(SignedDuration::ZERO, |oldest| house.clock.now().duration_since(oldest));
            house.metrics.backlog(backlog.due, age.as_secs_f64());
        }
        Err(error) => tracing::warn!(%error, "the backlog could not be measured"),
    }
    match house.store.dead_letter_count(&EventFilter::default()).await {
        Ok(count) => house.metrics.dead_letters(count),
        Err(error) => tracing::warn!(%error, "the dead letters could not be counted"),
    }
    match house.store.webhook_census().await {
        Ok(census) => house.metrics.webhooks(&census),
        Err(error) => tracing::warn!(%error, "the webhooks could not be counted"),
    }
    match house.store.mail_backlog().await {
        Ok(backlog) => {
            let age = backlog.oldest.map_or(SignedDuration::ZERO, |oldest| house.clock.now().duration_since(oldest));
            house.metrics.mails(house.settings.mail.is_configured(), backlog.pending, age.as_secs_f64());
        }
        Err(error) => tracing::warn!(%error, "the mails that wait could not be counted"),
    }
    for (class, breakers) in &house.breakers {
        let states: Vec<_> = breakers.states(Instant::now()).into_iter().map(|(_, state)| state).collect();
        house.metrics.breakers(class, &states);
    }
    let Queue::Broker(broker) = &house.queue else { return };
    // A broker that is away is no news: its state is a metric of its own.
    if let Ok(depths) = broker.depths().await {
        for depth in depths {
            house.metrics.depth(&depth.queue, depth.ready);
        }
    }
}

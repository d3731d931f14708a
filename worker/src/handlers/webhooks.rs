//! Deliveries to webhooks (document D): each is an event of the ledger, and arrives at the endpoint of its webhook.
//!
//! At least once, under one id for all attempts. The endpoint is called at the pace that it was promised; what is over
//! waits. An endpoint that says it is gone, or takes nothing for days, is given up. Like forwarding, the work is an
//! effect; besides, only the webhook's own row is touched.

mod request;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use hyper::StatusCode;
use jiff::{SignedDuration, Timestamp};
use lychgate_common::{
    event::Event,
    settings::WebhooksSettings,
    source::{Destination, Forward},
    store::{Endpoint, Store},
    vault::Vault,
    webhook::{Limits, TEST, Taken},
};
use serde_json::json;

use super::forward::{Arrived, Couriers, Missed, NoAnswer, failure, judge};
use crate::handler::{Cause, Failure, Handled, Handler};

/// When a delivery comes back at the earliest whose endpoint has enough under way: an ordinary answer takes less.
const CROWDED: SignedDuration = SignedDuration::from_secs(5);

/// The handler of deliveries.
#[derive(Debug)]
pub struct Deliveries {
    store: Store,
    vault: Option<Arc<Vault>>,
    couriers: Couriers,
    limits: Limits,
    private: bool,
    patience: Duration,
}

/// A delivery that can be made.
struct Ready {
    endpoint: Endpoint,
    /// One destination, and the keys of Standard Webhooks.
    forward: Forward,
}

impl Deliveries {
    /// Delivers as the settings say. Without a vault no secret can be opened, and deliveries wait for one.
    pub fn new(store: Store, vault: Option<Arc<Vault>>, couriers: Couriers, settings: &WebhooksSettings) -> Self {
        let limits = Limits { burst: settings.burst, per_minute: settings.per_minute };
        let (private, patience) = (settings.allow_private, settings.disable_after);
        Self { store, vault, couriers, limits, private, patience }
    }

    async fn deliver(&self, event: &Event) -> Result<Handled, Failure> {
        let ready = match self.ready(event).await? {
            Ok(ready) => ready,
            Err(why) => return Ok(Handled::ignored(why)),
        };
        let Some(destination) = ready.forward.destinations().first() else {
            return Err(Failure::permanent("webhook_invalid", "the webhook has no address"));
        };
        let answer = self.call(event, &ready, destination).await?;
        let gone = matches!(&answer, Ok(answer) if answer.status == StatusCode::GONE);
        // The host is named, so that dead letters of one endpoint are a group.
        let who = format!("the endpoint at {}", destination.url.host_str().unwrap_or_default());
        match judge(who, destination, answer, self.now()) {
            Ok(arrived) => self.arrived(event, &ready.endpoint, &arrived).await,
            Err(missed) => self.missed(event, &ready.endpoint, missed, gone).await,
        }
    }

    /// The endpoint and its keys; or why nothing is to be delivered.
    async fn ready(&self, event: &Event) -> Result<Result<Ready, String>, Failure> {
        let missing =
            || Cause::new("webhook_secret", "secrets.encryption_key is not set: no webhook's secret can be opened");
        let vault = self.vault.as_deref().ok_or_else(|| Failure::Ours(missing()))?;
        let found = self.store.endpoint(&event.tenant, event.id, vault).await;
        let Some(endpoint) = found.map_err(|error| ours("the webhook cannot be read", error))? else {
            return Ok(Err("the webhook was deleted".to_owned()));
        };
        if !endpoint.active && event.subject.as_deref() != Some(TEST) {
            return Ok(Err(match endpoint.disabled_reason {
                Some(why) => format!("the webhook is disabled: {why}"),
                None => "the webhook is paused".to_owned(),
            }));
        }
        let invalid = |error: String| {
            Failure::permanent("webhook_invalid", format!("the webhook cannot be delivered to: {error}"))
        };
        let url = endpoint.url.parse().map_err(|error: url::ParseError| invalid(error.to_string()))?;
        let forward = Forward::new(&[url], &endpoint.signing.secrets, self.private);
        Ok(Ok(Ready { forward: forward.map_err(|fault| invalid(fault.to_string()))?, endpoint }))
    }

    /// Calls the endpoint, once it is the delivery's turn.
    async fn call(
        &self,
        event: &Event,
        ready: &Ready,
        destination: &Destination,
    ) -> Result<Result<crate::http::Answer, NoAnswer>, Failure> {
        let turn = match self.couriers.turn(&event.tenant).await {
            Ok(turn) => turn,
            Err(NoAnswer::Crowded(_)) => {
                let until = self.store.wait_turn(&event.tenant, self.limits, CROWDED).await;
                let until = until.map_err(|error| ours("the webhook's line cannot be read", error))?;
                return Err(later("the endpoint has enough under way", until));
            }
            Err(other) => return Ok(Err(other)),
        };
        let taken = self.store.take_turn(&event.tenant, self.limits).await;
        if let Taken::At(until) = taken.map_err(|error| ours("the webhook's limit cannot be read", error))? {
            return Err(later("the endpoint has had as much as it may have for now", until));
        }
        let now = self.now();
        match request::request(event, &ready.forward, destination, &ready.endpoint, now) {
            Ok(request) => Ok(turn.deliver(self.private, request, now).await),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn arrived(&self, event: &Event, endpoint: &Endpoint, arrived: &Arrived) -> Result<Handled, Failure> {
        if endpoint.failing_since.is_some()
            && let Err(error) = self.store.webhook_recovered(&event.tenant).await
        {
            // The next arrival notes it.
            tracing::warn!(webhook = %event.tenant, %error, "a webhook has recovered, and that could not be noted");
        }
        Ok(Handled { reply: Some(json!({ "status": arrived.status })), ..Handled::default() })
    }

    async fn missed(&self, event: &Event, endpoint: &Endpoint, missed: Missed, gone: bool) -> Result<Handled, Failure> {
        let reason = match endpoint.failing_since {
            _ if gone => "its endpoint answered 410 Gone".to_owned(),
            Some(since) => format!("nothing has arrived since {since}; the last time {}", missed.message()),
            None => missed.message().to_owned(),
        };
        let disabled = if gone {
            self.store.disable_webhook(&event.tenant, &reason).await
        } else if missed.is_its_fault() {
            self.store.webhook_failed(&event.tenant, self.patience, &reason).await
        } else {
            Ok(false)
        };
        match disabled {
            Ok(true) => tracing::warn!(webhook = %event.tenant, reason, "a webhook was disabled"),
            Ok(false) => {}
            // The next one that is missed notes it.
            Err(error) => tracing::warn!(webhook = %event.tenant, %error, "how a webhook is could not be noted"),
        }
        match failure(vec![missed]) {
            Some(failure) => Err(failure),
            None => Ok(Handled::default()),
        }
    }

    fn now(&self) -> Timestamp {
        self.store.clock().now()
    }
}

impl Handler for Deliveries {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Failure>> {
        Box::pin(self.deliver(event))
    }

    /// Calls nobody: says where the delivery would go.
    fn rehearse<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Failure>> {
        Box::pin(async {
            Ok(match self.ready(event).await? {
                Ok(ready) => {
                    let to: Vec<String> = ready.forward.destinations().iter().map(Destination::shown).collect();
                    Handled { reply: Some(json!({ "would_be_delivered_to": to })), ..Handled::default() }
                }
                Err(why) => Handled::ignored(why),
            })
        })
    }
}

fn ours(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::Ours(Cause::from("webhook_ledger", what, error))
}

fn later(why: &str, until: Timestamp) -> Failure {
    Failure::Deferred { cause: Cause::new("webhook_limit", why), until }
}

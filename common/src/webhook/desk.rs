//! The desk: what can be done to webhooks, for the management interface and the command line alike.
//!
//! Every verb takes who asks, for the audit. What must reach a worker is published; where that fails the sweeper does it.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::{Change, Delivery, Draft, Policy, Slip, TEST, Webhook, WebhookError, WebhookRefused, event_name, sample};
use crate::{
    event::EventId,
    message::Message,
    process::Ground,
    queue::{Published, Queue, Route, Shards},
    secret::Secret,
    store::{DeliveryLine, Resent, Store, StoreError},
    vault::Vault,
};

/// How long publishing may take before the sweeper takes a delivery for lost.
const PUBLISHING: SignedDuration = SignedDuration::from_secs(60);

/// Where no webhook was, workers look for one twice a second. Whoever makes the first has its answer when they have.
const HEARD: Duration = Duration::from_secs(1);

/// A webhook that was made.
#[derive(Clone, Debug)]
pub struct Created {
    /// It.
    pub webhook: Webhook,
    /// To be shown once.
    pub secret: Secret,
}

/// A secret that was replaced.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// To be shown once.
    pub secret: Secret,
    /// Until when the one before it signs, too.
    pub previous_until: Timestamp,
}

/// A delivery that is under way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Sent {
    /// Its id.
    pub delivery_id: EventId,
    /// Whose.
    pub webhook_id: String,
}

/// Where webhooks are managed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Desk {
    store: Store,
    queue: Queue,
    vault: Option<Arc<Vault>>,
    policy: Policy,
    shards: Shards,
}

impl Desk {
    /// How long the secret before the last rotation signs beside the new one, unless the caller says otherwise: a day to
    /// put the new one in place.
    pub const OVERLAP: Duration = Duration::from_secs(24 * 3600);
    /// The longest overlap: after a month the old secret was forgotten rather than still in use.
    pub const LONGEST_OVERLAP: Duration = Duration::from_secs(30 * 24 * 3600);

    /// A desk upon this ground.
    pub fn new(ground: &Ground) -> Self {
        let settings = &ground.settings;
        Self {
            store: ground.store.clone(),
            queue: ground.queue.clone(),
            vault: ground.vault.clone(),
            policy: Policy { private: settings.webhooks.allow_private, allow: settings.forward.allow.clone() },
            shards: settings.broker.shards,
        }
    }

    /// Makes a webhook of what a caller wrote.
    ///
    /// # Errors
    /// [`WebhookRefused::Input`] with every mistake, [`WebhookRefused::NoVault`]; our own trouble.
    pub async fn create(&self, body: &Value, actor: &str) -> Result<Created, WebhookError> {
        let draft = Draft::read(body, &self.policy).map_err(WebhookRefused::Input)?;
        let first = !self.store.any_webhook().await?;
        let (webhook, secret) = self.store.add_webhook(&draft, actor, self.vault()?).await?;
        heard(first && webhook.active).await;
        Ok(Created { webhook, secret })
    }

    /// Webhooks, the newest first.
    ///
    /// # Errors
    /// The store's trouble.
    pub async fn list(&self, limit: u32, before: Option<&str>) -> Result<Vec<Webhook>, StoreError> {
        self.store.webhooks(limit, before).await
    }

    /// One.
    ///
    /// # Errors
    /// [`WebhookRefused::Unknown`]; the store's trouble.
    pub async fn show(&self, id: &str) -> Result<Webhook, WebhookError> {
        self.store.webhook(id).await
    }

    /// Changes what a caller wrote; the rest stays.
    ///
    /// # Errors
    /// [`WebhookRefused::Input`] with every mistake, [`WebhookRefused::Unknown`]; the store's trouble.
    pub async fn update(&self, id: &str, body: &Value, actor: &str) -> Result<Webhook, WebhookError> {
        let change = Change::read(body, &self.policy).map_err(WebhookRefused::Input)?;
        let first = !self.store.any_webhook().await?;
        let webhook = self.store.change_webhook(id, &change, actor).await?;
        heard(first && webhook.active).await;
        Ok(webhook)
    }

    /// Deletes it. Its deliveries stay in the ledger, and those under way are ignored.
    ///
    /// # Errors
    /// [`WebhookRefused::Unknown`]; the store's trouble.
    pub async fn delete(&self, id: &str, actor: &str) -> Result<(), WebhookError> {
        self.store.delete_webhook(id, actor).await
    }

    /// Gives it a new secret; the old one signs for `overlap` longer (zero: not at all).
    ///
    /// # Errors
    /// [`WebhookRefused::Unknown`], [`WebhookRefused::NoVault`]; our own trouble.
    pub async fn rotate_secret(&self, id: &str, overlap: Duration, actor: &str) -> Result<Rotated, WebhookError> {
        let (secret, previous_until) = self.store.rotate_webhook_secret(id, overlap, actor, self.vault()?).await?;
        Ok(Rotated { secret, previous_until })
    }

    /// Sends it an example of this event, whatever it subscribed to, and even while it is paused.
    ///
    /// # Errors
    /// [`WebhookRefused::Input`], [`WebhookRefused::Unknown`]; the store's trouble.
    pub async fn test(&self, id: &str, event: &str, actor: &str) -> Result<Sent, WebhookError> {
        event_name(event)
            .map_err(|why| WebhookRefused::Input(vec![Slip { pointer: "/event".to_owned(), why: Some(why) }]))?;
        let webhook = self.store.webhook(id).await?;
        let now = self.store.clock().now();
        let delivery = EventId::new(now);
        let made = Delivery {
            id: delivery,
            webhook: webhook.id.as_str().into(),
            kind: event.into(),
            subject: TEST.into(),
            occurred_at: now,
            body: sample(delivery, event, now),
            traceparent: None,
        };
        let made = made.recorded(self.shards, now, self.due_at());
        self.store.add_trial(&made, actor).await?;
        self.publish(made.first_message()).await?;
        Ok(Sent { delivery_id: delivery, webhook_id: webhook.id })
    }

    /// Its deliveries with their attempts, the newest first.
    ///
    /// # Errors
    /// [`WebhookRefused::Unknown`]; the store's trouble.
    pub async fn deliveries(
        &self,
        id: &str,
        limit: u32,
        before: Option<EventId>,
    ) -> Result<Vec<DeliveryLine>, WebhookError> {
        let webhook = self.store.webhook(id).await?;
        Ok(self.store.deliveries(&webhook.id, limit, before).await?)
    }

    /// One of them.
    ///
    /// # Errors
    /// [`WebhookRefused::UnknownDelivery`]; the store's trouble.
    pub async fn delivery(&self, id: &str, delivery: EventId) -> Result<DeliveryLine, WebhookError> {
        let found = self.store.delivery(id, delivery).await?;
        Ok(found.ok_or_else(|| WebhookRefused::UnknownDelivery(delivery.to_string()))?)
    }

    /// Makes a finished delivery once more, under the same id.
    ///
    /// # Errors
    /// [`WebhookRefused::UnknownDelivery`], [`WebhookRefused::UnderWay`]; the store's trouble.
    pub async fn resend(&self, id: &str, delivery: EventId, actor: &str) -> Result<Sent, WebhookError> {
        let webhook = self.store.webhook(id).await?;
        match self.store.resend(&webhook.id, delivery, actor, self.due_at()).await? {
            Resent::Now(message) => self.publish(*message).await?,
            Resent::UnderWay => return Err(WebhookRefused::UnderWay.into()),
            Resent::Unknown => return Err(WebhookRefused::UnknownDelivery(delivery.to_string()).into()),
        }
        Ok(Sent { delivery_id: delivery, webhook_id: webhook.id })
    }

    fn vault(&self) -> Result<&Vault, WebhookRefused> {
        self.vault.as_deref().ok_or(WebhookRefused::NoVault)
    }

    /// When a sweeper or a claim may take what is published now; `None`: at once, for there is nobody to publish to.
    fn due_at(&self) -> Option<Timestamp> {
        let now = self.store.clock().now();
        match &self.queue {
            Queue::Store(_) => Some(now),
            Queue::Broker(_) => self.queue.state().is_up().then(|| now + PUBLISHING),
        }
    }

    async fn publish(&self, message: Message) -> Result<(), StoreError> {
        let ids = [(message.id(), message.attempt)];
        let verdicts = self.queue.publish(vec![(message.slimmed(), Route::Main)]).await;
        self.store.mark_unpublished(&Published::unconfirmed(&ids, &verdicts)).await
    }
}

async fn heard(first: bool) {
    if first {
        tokio::time::sleep(HEARD).await;
    }
}

//! `lychgate webhooks`: who is told of which events, as over `/v2/webhooks` and through the same desk.

mod options;

use std::time::Duration;

use lychgate_common::{
    process::Ground,
    store::DeliveryLine,
    webhook::{Desk, Webhook, WebhookError, WebhookRefused},
};
use lychgate_worker::operate::actor;
use serde_json::{Value, json};

pub(crate) use self::options::Webhooks;
use self::options::{Create, Deliveries, List, Resend, Rotate, Test, Update};
use crate::{
    output::{self, Usage, clean},
    settings::{Found, connected},
};

/// Does what was asked.
pub(crate) async fn run(webhooks: Webhooks, found: &Found) -> anyhow::Result<()> {
    // Its schema checked first, as for every command.
    found.store().await?;
    let ground = found.ground()?;
    let done = on(webhooks, &ground, &Desk::new(&ground)).await;
    ground.close().await;
    done
}

async fn on(webhooks: Webhooks, ground: &Ground, desk: &Desk) -> anyhow::Result<()> {
    match webhooks {
        Webhooks::List(list) => run_list(&list, desk).await,
        Webhooks::Show(one) => {
            let webhook = desk.show(&one.id).await.map_err(told)?;
            if one.json { output::json(&webhook) } else { show(&webhook) }
        }
        Webhooks::Create(create) => run_create(create, desk).await,
        Webhooks::Update(update) => run_update(update, desk).await,
        Webhooks::Delete(one) => desk.delete(&one.id, &actor(None)).await.map_err(told),
        Webhooks::RotateSecret(rotate) => run_rotate(&rotate, desk).await,
        Webhooks::Test(test) => run_test(&test, ground, desk).await,
        Webhooks::Deliveries(deliveries) => run_deliveries(&deliveries, desk).await,
        Webhooks::Resend(resend) => run_resend(&resend, ground, desk).await,
    }
}

/// What was typed is wrong usage; everything else is not.
fn told(error: WebhookError) -> anyhow::Error {
    match error {
        WebhookError::Refused(refused @ (WebhookRefused::Input(_) | WebhookRefused::NoVault)) => {
            Usage(refused.to_string()).into()
        }
        other => other.into(),
    }
}

async fn run_list(list: &List, desk: &Desk) -> anyhow::Result<()> {
    let webhooks = desk.list(list.limit, list.before.as_deref()).await?;
    for webhook in &webhooks {
        if list.json {
            output::json(webhook)?;
            continue;
        }
        let (status, events) = (webhook.status.name(), clean(&webhook.events.join(",")));
        output::line(format_args!("{}  {status:<8}  {}  {events}", webhook.id, clean(&webhook.url)));
    }
    if webhooks.is_empty() {
        output::aside("no webhooks");
    } else if u32::try_from(webhooks.len()) == Ok(list.limit)
        && let Some(last) = webhooks.last()
    {
        output::aside(format_args!("there may be more: --before {}", last.id));
    }
    Ok(())
}

fn show(webhook: &Webhook) -> anyhow::Result<()> {
    let Value::Object(fields) = serde_json::to_value(webhook)? else { return Ok(()) };
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            other => other.to_string(),
        };
        output::line(format_args!("{name:<21} {}", clean(&text)));
    }
    Ok(())
}

async fn run_create(create: Create, desk: &Desk) -> anyhow::Result<()> {
    let json = create.json;
    let created = desk.create(&create.into_body(), &actor(None)).await.map_err(told)?;
    let secret = created.secret.expose_str().unwrap_or_default();
    if json {
        let mut shown = serde_json::to_value(&created.webhook)?;
        if let Value::Object(fields) = &mut shown {
            fields.insert("secret".to_owned(), secret.into());
        }
        return output::json(&shown);
    }
    output::line(format_args!("id={}\nsecret={secret}", created.webhook.id));
    output::aside("the secret is not shown again; `lychgate webhooks rotate-secret` makes a new one");
    Ok(())
}

async fn run_update(update: Update, desk: &Desk) -> anyhow::Result<()> {
    let (id, json) = (update.id.clone(), update.json);
    let webhook = desk.update(&id, &update.into_body(), &actor(None)).await.map_err(told)?;
    if json { output::json(&webhook) } else { show(&webhook) }
}

async fn run_rotate(rotate: &Rotate, desk: &Desk) -> anyhow::Result<()> {
    let overlap = rotate.overlap.map_or(Desk::OVERLAP, |hours| Duration::from_secs(u64::from(hours) * 3600));
    let rotated = desk.rotate_secret(&rotate.id, overlap, &actor(None)).await.map_err(told)?;
    let (secret, until) = (rotated.secret.expose_str().unwrap_or_default(), rotated.previous_until);
    if rotate.json {
        return output::json(&json!({ "webhook_id": rotate.id, "secret": secret, "previous_secret_until": until }));
    }
    output::line(format_args!("secret={secret}"));
    output::aside(format_args!(
        "both secrets sign until {until}, and X-Platform-Signature is made with the old one until then"
    ));
    Ok(())
}

async fn run_test(test: &Test, ground: &Ground, desk: &Desk) -> anyhow::Result<()> {
    connected(ground).await;
    let sent = desk.test(&test.id, &test.event, &actor(None)).await.map_err(told)?;
    if test.json {
        return output::json(&sent);
    }
    output::line(format_args!("delivery_id={}", sent.delivery_id));
    output::aside(format_args!("what becomes of it: lychgate webhooks deliveries {}", sent.webhook_id));
    Ok(())
}

async fn run_deliveries(asked: &Deliveries, desk: &Desk) -> anyhow::Result<()> {
    let deliveries = desk.deliveries(&asked.id, asked.limit, asked.before).await.map_err(told)?;
    for delivery in &deliveries {
        if asked.json { output::json(delivery)? } else { output::line(row(delivery)) }
    }
    if deliveries.is_empty() {
        output::aside("no deliveries");
    } else if u32::try_from(deliveries.len()) == Ok(asked.limit)
        && let Some(last) = deliveries.last()
    {
        output::aside(format_args!("there may be more: --before {}", last.id));
    }
    Ok(())
}

fn row(delivery: &DeliveryLine) -> String {
    let DeliveryLine { id, created_at, status, event, attempts, .. } = delivery;
    let last = attempts.last();
    let answered = last.and_then(|last| last.response_status).map(|status| status.to_string());
    let message = last.and_then(|last| last.error.as_ref()?.get("message")?.as_str().map(clean));
    let said = answered.or(message).unwrap_or_default();
    let status = status.name();
    format!("{id}  {created_at:.3}  {status:<9}  {:>2}  {}  {said}", attempts.len(), clean(event)).trim_end().to_owned()
}

async fn run_resend(resend: &Resend, ground: &Ground, desk: &Desk) -> anyhow::Result<()> {
    connected(ground).await;
    for delivery in &resend.deliveries {
        let sent = desk.resend(&resend.id, *delivery, &actor(None)).await.map_err(told)?;
        if resend.json { output::json(&sent)? } else { output::line(format_args!("{delivery} is under way again")) }
    }
    Ok(())
}

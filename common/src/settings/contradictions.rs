//! Settings that are each of the right form and wrong all the same, mostly together. They are refused, not warned of: a
//! warning is read after the fact.

use std::time::Duration;

use super::{Faults, MailBy, Settings, SmtpTls, tree::Section, value::show_duration, worker::MAX_PREFETCH};
use crate::{
    queue::broker::{UNREADABLE_BROKER_URL, is_broker_url},
    store::{UNREADABLE_DATABASE_URL, is_database_url},
};

/// What a delivery may wait for its turn, and for the ledger, beside the exchange itself.
const FORWARD_SPARE: Duration = Duration::from_secs(2);

/// Shortest API key: 128 bits in base64.
const API_KEY_LENGTH: usize = 22;

/// What a mail may wait for its turn, and for its text.
const MAIL_SPARE: Duration = Duration::from_millis(1500);

/// Notes every contradiction, at the place of the setting that an operator would change.
pub(super) fn find(settings: &Settings, root: &Section, faults: &mut Faults) {
    let mut wrong = |key: &str, when: bool, what: String| {
        if when {
            faults.push(root.at_key(key), what);
        }
    };
    let Settings { gateway, worker, database, retention, faithflow, forward, webhooks, .. } = settings;
    let longer = |key: &str, it: Duration| format!("must be longer than {key} ({})", show_duration(it));
    let within = |key: &str, it: Duration| format!("must not be longer than {key} ({})", show_duration(it));

    let unreadable = database.url.as_ref().is_some_and(|url| !is_database_url(url));
    wrong("database.url", unreadable, UNREADABLE_DATABASE_URL.to_owned());
    let unreadable = settings.broker.url.as_ref().is_some_and(|url| !is_broker_url(url));
    wrong("broker.url", unreadable, UNREADABLE_BROKER_URL.to_owned());

    let prefetch = worker.prefetch();
    let too_far = prefetch > MAX_PREFETCH || prefetch < worker.concurrency;
    let bounds = format!("must be from worker.concurrency ({}) to {MAX_PREFETCH}", worker.concurrency);
    wrong("worker.prefetch", too_far, bounds);
    let short = worker.lease <= worker.handler_deadline;
    let why = longer("worker.handler_deadline", worker.handler_deadline);
    wrong("worker.lease", short, format!("{why}, or a second worker takes an event from the first"));
    let tries = u32::from(faithflow.core_retries) + 1;
    let core = faithflow.core_timeout.saturating_mul(tries);
    let what =
        format!("{tries} requests of this length {}", within("worker.handler_deadline", worker.handler_deadline));
    // Whoever has no campuses need not know of their settings.
    let has_campuses = settings.sources.iter().any(|source| source.is_text("preset", "faithflow"));
    wrong("faithflow.core_timeout", has_campuses && core > worker.handler_deadline, what);

    let spare = worker.handler_deadline.saturating_sub(FORWARD_SPARE);
    let forwards = settings.sources.iter().any(|source| source.has("forward")) || !webhooks.api_keys.is_empty();
    let what = within("worker.handler_deadline", worker.handler_deadline);
    let what = format!("with {} to spare {what}", show_duration(FORWARD_SPARE));
    wrong("forward.timeout", forwards && forward.timeout > spare, what);

    let short = webhooks.api_keys.iter().any(|key| key.expose().len() < API_KEY_LENGTH);
    let what = format!("must have at least {API_KEY_LENGTH} characters each (make one: openssl rand -hex 32)");
    wrong("webhooks.api_keys", short, what);
    let sealed = settings.secrets.encryption_key.is_some();
    let what = "needs secrets.encryption_key, too: webhooks' secrets are kept in the database, sealed with it";
    wrong("webhooks.api_keys", !webhooks.api_keys.is_empty() && !sealed, what.to_owned());

    let what = format!("must not be larger than gateway.record_batch_bytes ({})", gateway.record_batch_bytes.bytes());
    wrong("gateway.max_body", gateway.max_body > gateway.record_batch_bytes, what);
    let what = format!("must not be less than gateway.record_batch ({})", gateway.record_batch);
    wrong("gateway.record_queue", gateway.record_queue < u32::from(gateway.record_batch), what);
    let what = within("gateway.wait_max", gateway.wait_max);
    wrong("gateway.wait", gateway.wait > gateway.wait_max, what.clone());
    wrong("faithflow.wait", faithflow.wait > gateway.wait_max, what);

    let half = settings.supabase.url.is_some() != settings.supabase.service_key.is_some();
    wrong("supabase.url", half, "and supabase.service_key belong together: set both or neither".to_owned());
    let what = within("worker.handler_deadline", worker.handler_deadline);
    wrong(
        "supabase.timeout",
        settings.supabase.url.is_some() && settings.supabase.timeout > worker.handler_deadline,
        what,
    );

    mail_of(settings, &mut wrong);

    let writers = u16::from(gateway.record_writers) + u16::from(worker.settle_writers);
    let what = format!(
        "must be more than gateway.record_writers and worker.settle_writers together ({writers}), or reads find none"
    );
    wrong("database.connections", database.connections <= writers, what);
    let what = within("retention.events", retention.events);
    wrong("retention.keys", retention.keys > retention.events, format!("{what}: a copy gets the first's answer"));

    let listeners = [
        ("gateway.listen", gateway.listen),
        ("ops.listen", settings.ops.listen),
        ("console.listen", settings.console.listen),
    ];
    for (index, (key, address)) in listeners.iter().enumerate() {
        for (other, taken) in listeners.iter().take(index) {
            wrong(key, address == taken && address.port() != 0, format!("is {other}'s address too"));
        }
    }
}

/// What `[mail]` and the mails' links need.
fn mail_of(settings: &Settings, wrong: &mut impl FnMut(&str, bool, String)) {
    let Settings { mail, worker, .. } = settings;
    let idle = mail.by.is_none() && (mail.smtp_host.is_some() || mail.api_key.is_some());
    wrong("mail.by", idle, "must say by which way mails are sent: \"smtp\" or \"api\"".to_owned());
    let needed = |what: &str| format!("must be set where mail.by is \"{what}\"");
    wrong("mail.smtp_host", mail.by == Some(MailBy::Smtp) && mail.smtp_host.is_none(), needed("smtp"));
    wrong("mail.api_key", mail.by == Some(MailBy::Api) && mail.api_key.is_none(), needed("api"));
    let nobody = mail.is_configured() && mail.from.is_none();
    wrong(
        "mail.from",
        nobody,
        "must be set where mails are sent: an address that the server lets us write as".to_owned(),
    );
    let half = mail.smtp_user.is_some() != mail.smtp_password.is_some();
    wrong("mail.smtp_user", half, "and mail.smtp_password belong together: set both or neither".to_owned());
    let naked = mail.smtp_password.is_some() && mail.smtp_tls == SmtpTls::None;
    let what = "must not be \"none\" with a password, which would cross the network in clear".to_owned();
    wrong("mail.smtp_tls", naked, what);
    let spare = worker.handler_deadline.saturating_sub(MAIL_SPARE);
    let what = format!(
        "with {} to spare must not be longer than worker.handler_deadline ({})",
        show_duration(MAIL_SPARE),
        show_duration(worker.handler_deadline)
    );
    wrong("mail.timeout", mail.is_configured() && mail.timeout > spare, what);
    let keyless = settings.ibam.magic_link.is_some() && settings.secrets.encryption_key.is_none();
    let what =
        "needs secrets.encryption_key, from which the tokens in mails are made: `openssl rand -base64 32`".to_owned();
    wrong("ibam.magic_link", keyless, what);
}

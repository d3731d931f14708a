//! A provider's HTTP interface, in Resend's words: `POST /emails`, with the mail's id as its `Idempotency-Key`.
//!
//! The provider sends a mail once under its key, for as long as it remembers keys (Resend: 24 hours). What it says of us
//! (401, 403, 429, 5xx) passes; what it says of a mail (other 4xx) stays.

use std::{io, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, StatusCode, Uri,
    header::{self, HeaderValue},
};
use jiff::Timestamp;
use lychgate_common::{secret::Secret, settings::MailSettings};
use serde_json::{Value, json};

use super::courier::{Fate, Letter, Sender, Unsent, Whose};
use crate::http::{Answer, Destinations, Http, HttpError, HttpLimits};

/// A server that has not taken the connection by then will not answer in time either.
const CONNECT: Duration = Duration::from_secs(3);
/// More of an answer is not read; an id, or an error of a few lines.
const ANSWER: usize = 16 * 1024;
/// Of the provider's words, as much is kept.
const WORDS: usize = 300;

/// The interface.
#[derive(Debug)]
pub(super) struct Provider {
    http: Http,
    endpoint: Uri,
    key: Secret,
    sender: Sender,
    limits: HttpLimits,
}

impl Provider {
    /// As the settings describe it.
    pub(super) fn open(settings: &MailSettings, key: &Secret, sender: Sender) -> io::Result<Self> {
        let destinations = if settings.allow_private { Destinations::Any } else { Destinations::Public };
        let endpoint = format!("{}/emails", settings.api_url.as_str().trim_end_matches('/'));
        Ok(Self {
            http: Http::new(CONNECT.min(settings.timeout), destinations)?,
            endpoint: endpoint.parse().map_err(io::Error::other)?,
            key: key.clone(),
            sender,
            limits: HttpLimits { total: settings.timeout, body: ANSWER },
        })
    }

    /// For the log.
    pub(super) fn shown(&self) -> String {
        format!("HTTP to {}", self.endpoint)
    }

    /// Sends one mail.
    pub(super) async fn send(&self, letter: &Letter<'_>, now: Timestamp) -> Result<(), Unsent> {
        let request = self.request(letter).map_err(|error| Unsent {
            class: "mail_unwritable",
            fate: Fate::Stays,
            whose: Whose::Mails,
            message: "the request to the mail provider cannot be made".to_owned(),
            beneath: Some(error.into()),
        })?;
        match self.http.deliver(request, self.limits, now).await {
            Ok(answer) => verdict(&answer),
            Err(error) => Err(Unsent {
                class: "mail_unreachable",
                fate: Fate::Passes(None),
                whose: Whose::Servers,
                message: match error {
                    HttpError::Forbidden(_) => "the mail provider has a private address: see mail.allow_private",
                    HttpError::TimedOut(_) => "the mail provider did not answer in time",
                    HttpError::Request(_) | HttpError::Connect(_) | HttpError::Broken(_) | HttpError::TooLarge(_) => {
                        "the mail provider cannot be reached"
                    }
                }
                .to_owned(),
                beneath: Some(Box::new(error)),
            }),
        }
    }

    fn request(&self, letter: &Letter<'_>) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let mut key = HeaderValue::try_from(format!("Bearer {}", self.key.expose_str().unwrap_or_default()))?;
        key.set_sensitive(true);
        let mut body = json!({
            "from": self.sender.from.written(),
            "to": [letter.to],
            "subject": letter.rendered.subject,
            "text": letter.rendered.text,
            "headers": { "X-Entity-Ref-ID": letter.id },
        });
        if let (Some(html), Value::Object(body)) = (&letter.rendered.html, &mut body) {
            body.insert("html".to_owned(), html.as_str().into());
        }
        if let (Some(reply_to), Value::Object(body)) = (&self.sender.reply_to, &mut body) {
            body.insert("reply_to".to_owned(), reply_to.written().into());
        }
        Request::post(&self.endpoint)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .header(header::AUTHORIZATION, key)
            .header("Idempotency-Key", letter.id.to_string())
            .body(Full::new(Bytes::from(body.to_string())))
    }
}

/// What an answer means.
fn verdict(answer: &Answer) -> Result<(), Unsent> {
    let status = answer.status;
    if status.is_success() {
        return Ok(());
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let word = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let passes = Fate::Passes(answer.retry_after);
    let (class, fate, whose, advice) = match status {
        StatusCode::CONFLICT if word("name") == "invalid_idempotent_request" => {
            ("mail_key_taken", Fate::Stays, Whose::Mails, ": it has had this mail before, with other words")
        }
        // The same mail is under way: what became of it is known when it is asked again.
        StatusCode::CONFLICT => ("mail_put_off", passes, Whose::Mails, ""),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            ("mail_login", passes, Whose::Servers, ": see mail.api_key and mail.from")
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => ("mail_put_off", passes, Whose::Servers, ""),
        StatusCode::TOO_MANY_REQUESTS => ("mail_limited", passes, Whose::Mails, ""),
        status if status.is_server_error() => ("mail_failing", passes, Whose::Servers, ""),
        _ => ("mail_refused", Fate::Stays, Whose::Mails, ""),
    };
    let said = [word("message"), word("error")].into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let said: String = said.chars().filter(|c| !c.is_control()).take(WORDS).collect();
    let message = format!("the mail provider answered {status}{advice}");
    Err(Unsent { class, fate, whose, message, beneath: (!said.is_empty()).then(|| said.into()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_us_passes_and_what_is_said_of_a_mail_stays() {
        let said = |status: u16, body: &str, retry_after| {
            let body = Bytes::copy_from_slice(body.as_bytes());
            let status = StatusCode::from_u16(status).unwrap();
            verdict(&Answer { status, retry_after, location: None, body }).map_err(|it| (it.class, it.fate, it.whose))
        };
        assert_eq!(said(200, r#"{"id":"1"}"#, None), Ok(()));
        let wait = Some(Duration::from_secs(7));
        let passes = Fate::Passes(None);
        for (status, body, expected) in [
            (401, r#"{"name":"missing_api_key"}"#, ("mail_login", passes, Whose::Servers)),
            (403, "no JSON", ("mail_login", passes, Whose::Servers)),
            (409, r#"{"name":"concurrent_idempotent_requests"}"#, ("mail_put_off", passes, Whose::Mails)),
            (409, r#"{"name":"invalid_idempotent_request"}"#, ("mail_key_taken", Fate::Stays, Whose::Mails)),
            (422, r#"{"name":"validation_error","message":"no"}"#, ("mail_refused", Fate::Stays, Whose::Mails)),
            (500, "", ("mail_failing", passes, Whose::Servers)),
        ] {
            assert_eq!(said(status, body, None), Err(expected), "{status} {body}");
        }
        assert_eq!(said(429, "{}", wait), Err(("mail_limited", Fate::Passes(wait), Whose::Mails)));
    }
}

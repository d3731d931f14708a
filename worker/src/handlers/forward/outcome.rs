//! What an answer means: 2xx has arrived; 408, 425, 429, 5xx and silence pass; everything else stays as it is.
//!
//! Messages carry no address, because the event's sender may read them in its receipt; the operator finds address and
//! answer in the chain of causes.

use std::{error::Error as _, time::Duration};

use hyper::StatusCode;
use jiff::Timestamp;
use lychgate_common::source::Destination;

use super::client::NoAnswer;
use crate::{
    handler::{Cause, Failure},
    http::{Answer, HttpError},
};

/// The class of a delivery that was spared a destination which failed too often.
const CIRCUIT_OPEN: &str = "forward_circuit_open";

/// A delivery that arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::handlers) struct Arrived {
    /// The destination's label.
    pub(in crate::handlers) destination: String,
    /// What it answered.
    pub(in crate::handlers) status: u16,
    /// When.
    pub(in crate::handlers) at: Timestamp,
}

/// A delivery that did not.
#[derive(Debug)]
pub(in crate::handlers) struct Missed {
    class: &'static str,
    fate: Fate,
    message: String,
    /// For the operator: where, and what it said.
    detail: String,
}

/// Whether trying again can help.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// It cannot.
    Stays,
    /// It can, and not before.
    Passes(Option<Duration>),
    /// We did not even try.
    NotTried,
}

impl Missed {
    /// Whether the destination itself did not take it: it was called, or cannot be.
    pub(in crate::handlers) fn is_its_fault(&self) -> bool {
        self.fate != Fate::NotTried && self.class != CIRCUIT_OPEN
    }

    /// One sentence.
    pub(in crate::handlers) fn message(&self) -> &str {
        &self.message
    }
}

/// Judges one exchange. `who` names the destination without its address.
pub(in crate::handlers) fn judge(
    who: String,
    destination: &Destination,
    answer: Result<Answer, NoAnswer>,
    at: Timestamp,
) -> Result<Arrived, Missed> {
    let shown = destination.shown();
    let missed = |class, fate, message, detail: String| Missed { class, fate, message, detail };
    match answer {
        Ok(answer) if answer.status.is_success() => {
            Ok(Arrived { destination: destination.label.clone(), status: answer.status.as_u16(), at })
        }
        Ok(answer) => {
            let (class, fate, advice) = refusal(&answer);
            let detail = format!("{shown} answered {}{}", answer.status, said(&answer));
            Err(missed(class, fate, format!("{who} answered {}{advice}", answer.status), detail))
        }
        Err(error) => {
            let (class, fate, message) = silence(&who, &error);
            Err(missed(class, fate, message, format!("{shown}: {}", chain(&error))))
        }
    }
}

fn refusal(answer: &Answer) -> (&'static str, Fate, &'static str) {
    let passes = Fate::Passes(answer.retry_after);
    match answer.status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => ("forward_busy", passes, ""),
        StatusCode::TOO_MANY_REQUESTS => ("forward_limited", passes, ""),
        StatusCode::GONE => ("forward_gone", Fate::Stays, ""),
        status if status.is_server_error() => ("forward_failing", passes, ""),
        status if status.is_redirection() => {
            ("forward_redirected", Fate::Stays, "; redirects are not followed: set the final address")
        }
        _ => ("forward_refused", Fate::Stays, ""),
    }
}

fn silence(who: &str, error: &NoAnswer) -> (&'static str, Fate, String) {
    let passes = Fate::Passes(None);
    match error {
        NoAnswer::Crowded(_) => ("forward_crowded", Fate::NotTried, format!("{who} has enough deliveries under way")),
        NoAnswer::Open(open) => {
            let message = format!("{who} failed too often lately and is left alone for a while");
            (CIRCUIT_OPEN, Fate::Passes(Some(open.retry_in)), message)
        }
        NoAnswer::Http(HttpError::Request(_)) => ("forward_invalid", Fate::Stays, format!("{who} cannot be called")),
        NoAnswer::Http(HttpError::Forbidden(_)) => {
            let message = format!("{who} has a private address, which is not allowed");
            ("forward_forbidden", Fate::Stays, message)
        }
        NoAnswer::Http(HttpError::TimedOut(_)) => ("forward_timeout", passes, format!("{who} did not answer in time")),
        NoAnswer::Http(HttpError::Connect(_)) => ("forward_unreachable", passes, format!("{who} cannot be reached")),
        NoAnswer::Http(HttpError::Broken(_) | HttpError::TooLarge(_)) => {
            ("forward_broken", passes, format!("the connection to {who} broke"))
        }
    }
}

/// An error and what lies beneath it, in one line. Some repeat what they carry.
fn chain(error: &NoAnswer) -> String {
    let mut text = error.to_string();
    let mut beneath = error.source();
    while let Some(cause) = beneath {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        beneath = cause.source();
    }
    text
}

/// The answer's beginning, fit for the ledger: PostgreSQL's JSON has no NUL, and a terminal no use for controls.
fn said(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let clean: String = text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
    match clean.trim() {
        "" => String::new(),
        text => format!(": {text}"),
    }
}

/// What several missed deliveries make of the attempt: as long as one may still arrive the event is tried again, and one
/// that cannot keeps it from being done. Where nobody was even called, the attempt costs nothing.
pub(in crate::handlers) fn failure(missed: Vec<Missed>) -> Option<Failure> {
    let passes = |one: &Missed| matches!(one.fate, Fate::Passes(_));
    let not_tried = |one: &Missed| one.fate == Fate::NotTried;
    let decisive = missed.iter().position(passes).or_else(|| missed.iter().position(not_tried)).or(Some(0))?;
    let first = missed.get(decisive)?;
    let retry_after = missed.iter().filter_map(|one| if let Fate::Passes(wait) = one.fate { wait } else { None }).max();
    let chain: Vec<&str> = missed.iter().map(|one| one.detail.as_str()).collect();
    let cause = Cause::from(first.class, first.message.clone(), Details(chain.join("; ")));
    Some(match first.fate {
        Fate::Stays => Failure::Permanent(cause),
        Fate::Passes(_) => Failure::Temporary { cause, retry_after },
        Fate::NotTried => Failure::Ours(cause),
    })
}

/// Addresses and answers, as the cause beneath.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Details(String);

//! Fetches a transcription from the address that a service gave: a stranger's address, so it is looked at closely.
//!
//! Https only, public addresses only (checked where the connection is made), few redirects and each looked at anew, bounded
//! in time and size.

use std::io;

use hyper::Uri;
use lychgate_common::{clock::Clock, settings::TranscriptionSettings};
use url::Url;

use crate::{
    handler::{Cause, Failure},
    http::{Answer, Destinations, Http, HttpError, HttpLimits},
};

/// The client for transcriptions.
#[derive(Debug)]
pub(super) struct Fetch {
    http: Http,
    limits: HttpLimits,
    redirects: u8,
    plain: bool,
    clock: Clock,
}

impl Fetch {
    pub(super) fn open(settings: &TranscriptionSettings, clock: &Clock) -> io::Result<Self> {
        let destinations = Destinations::PublicAnd(settings.allow.clone().into());
        Ok(Self {
            http: Http::new(settings.connect_timeout, destinations)?,
            limits: HttpLimits { total: settings.timeout, body: settings.max_body.bytes() },
            redirects: settings.redirects,
            plain: settings.allow_http,
            clock: clock.clone(),
        })
    }

    /// The transcription's bytes as text. The time is for all redirects together.
    pub(super) async fn text(&self, url: &str) -> Result<String, Failure> {
        let fetching = tokio::time::timeout(self.limits.total, self.follow(url)).await;
        let answer = fetching.map_err(|_| {
            let message = format!("the transcription did not arrive within {} s", self.limits.total.as_secs_f32());
            Failure::temporary("transcription_slow", message)
        })??;
        match String::from_utf8(answer.body.to_vec()) {
            Ok(text) => Ok(text),
            Err(error) => {
                let cause = Cause::from("transcription_unreadable", "the transcription is not UTF-8 text", error);
                Err(Failure::Permanent(cause))
            }
        }
    }

    async fn follow(&self, url: &str) -> Result<Answer, Failure> {
        let mut url = self.address(url)?;
        for _ in 0..=self.redirects {
            let uri: Uri = url.as_str().parse().map_err(|_| forbidden("is no URL"))?;
            let answer = self.http.get(&uri, None, self.limits, self.clock.now()).await.map_err(unreachable)?;
            if !answer.status.is_redirection() {
                return judged(answer);
            }
            let next = answer.location.as_deref().and_then(|location| url.join(location).ok());
            let next = next.ok_or_else(|| Failure::permanent("transcription_refused", "a redirect leads nowhere"))?;
            url = self.address(next.as_str())?;
        }
        Err(Failure::permanent("transcription_refused", format!("more than {} redirects", self.redirects)))
    }

    fn address(&self, text: &str) -> Result<Url, Failure> {
        let url = Url::parse(text).map_err(|_| forbidden("is no URL"))?;
        match url.scheme() {
            "https" => {}
            "http" if self.plain => {}
            _ => return Err(forbidden("must be https")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(forbidden("must not hold credentials"));
        }
        Ok(url)
    }
}

fn forbidden(why: &str) -> Failure {
    Failure::permanent("transcription_forbidden", format!("/data/transcriptionUrl {why}"))
}

fn unreachable(error: HttpError) -> Failure {
    match error {
        HttpError::Forbidden(_) => Failure::Permanent(Cause::from(
            "transcription_forbidden",
            "/data/transcriptionUrl may not be called",
            error,
        )),
        HttpError::Request(_) => forbidden("is no URL"),
        HttpError::TooLarge(limit) => {
            Failure::permanent("transcription_too_large", format!("the transcription is larger than {limit} bytes"))
        }
        HttpError::Connect(_) | HttpError::Broken(_) | HttpError::TimedOut(_) => {
            let cause = Cause::from("transcription_unreachable", "the transcription could not be fetched", error);
            Failure::Temporary { cause, retry_after: None }
        }
    }
}

fn judged(answer: Answer) -> Result<Answer, Failure> {
    let status = answer.status;
    if status.is_success() {
        return Ok(answer);
    }
    let cause = Cause::new("transcription_refused", format!("the transcription's server answered {status}"));
    if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) {
        return Err(Failure::Temporary { cause, retry_after: answer.retry_after });
    }
    Err(Failure::Permanent(cause))
}

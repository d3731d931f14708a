//! Embeddings from an OpenAI-compatible endpoint: `POST {url}` with `{model, input}`, `{data: [{index, embedding}]}` back.
//!
//! All or none: half of a transcript's passages would look like a whole that finds less.

use std::io;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, header};
use lychgate_common::{clock::Clock, secret::Secret, settings::EmbeddingsSettings};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::{
    handler::{Cause, Failure},
    http::{Answer, Destinations, Http, HttpLimits},
};

/// Largest answer, in bytes: 256 embeddings of 4,096 numbers as text.
const ANSWER_LIMIT: usize = 16 << 20;

/// The endpoint.
#[derive(Debug)]
pub(super) struct Embeddings {
    http: Http,
    url: Url,
    key: Option<Secret>,
    model: String,
    batch: usize,
    limits: HttpLimits,
    clock: Clock,
}

#[derive(Deserialize)]
struct Embedded {
    data: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    index: usize,
    embedding: Vec<f32>,
}

impl Embeddings {
    /// `None` where no endpoint is set. The operator chose it, so it may stand in a private network.
    pub(super) fn open(settings: &EmbeddingsSettings, clock: &Clock) -> io::Result<Option<Self>> {
        let Some(url) = settings.url.clone() else { return Ok(None) };
        Ok(Some(Self {
            http: Http::new(settings.connect_timeout, Destinations::Any)?,
            url,
            key: settings.key.clone(),
            model: settings.model.clone(),
            batch: usize::from(settings.batch),
            limits: HttpLimits { total: settings.timeout, body: ANSWER_LIMIT },
            clock: clock.clone(),
        }))
    }

    pub(super) fn model(&self) -> &str {
        &self.model
    }

    /// One embedding for each text, in their order.
    pub(super) async fn of(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, Failure> {
        let mut all = Vec::with_capacity(texts.len());
        for batch in texts.chunks(self.batch.max(1)) {
            all.extend(self.some(batch).await?);
        }
        Ok(all)
    }

    async fn some(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, Failure> {
        let answer = self.ask(texts).await?;
        let embedded: Embedded = serde_json::from_slice(&answer.body).map_err(|error| {
            Failure::Permanent(Cause::from("embedding_unreadable", "the embeddings' answer has another form", error))
        })?;
        let mut vectors = vec![Vec::new(); texts.len()];
        for One { index, embedding } in embedded.data {
            if let Some(vector) = vectors.get_mut(index) {
                *vector = embedding;
            }
        }
        let whole = vectors.iter().all(|vector| !vector.is_empty());
        whole.then_some(vectors).ok_or_else(|| {
            Failure::permanent("embedding_unreadable", "the answer does not hold one embedding for each passage")
        })
    }

    async fn ask(&self, texts: &[&str]) -> Result<Answer, Failure> {
        let body = json!({ "model": self.model, "input": texts, "encoding_format": "float" });
        let mut request = Request::post(self.url.as_str())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json");
        if let Some(key) = self.key.as_ref().and_then(Secret::expose_str) {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        let request = request.body(Full::new(Bytes::from(body.to_string()))).map_err(|error| {
            Failure::Permanent(Cause::from(
                "embedding_refused",
                "the endpoint cannot be called; see [embeddings]",
                error,
            ))
        })?;
        let answer = self.http.deliver(request, self.limits, self.clock.now()).await.map_err(|error| {
            let cause = Cause::from("embedding_unreachable", "the embeddings' endpoint did not answer", error);
            Failure::Temporary { cause, retry_after: None }
        })?;
        let status = answer.status;
        if status.is_success() {
            return Ok(answer);
        }
        let cause = Cause::new("embedding_refused", format!("the embeddings' endpoint answered {status}"));
        if status.is_client_error() && !matches!(status.as_u16(), 408 | 425 | 429) {
            return Err(Failure::Permanent(cause));
        }
        Err(Failure::Temporary { cause, retry_after: answer.retry_after })
    }
}

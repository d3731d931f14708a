//! `[transcription]`, `[embeddings]`: how finished transcriptions are fetched, and made searchable by meaning.

use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use super::{ByteSize, setting::section};
use crate::secret::Secret;

section! {
    /// Fetching transcriptions from the addresses that services give.
    pub struct TranscriptionSettings in "transcription" {
        /// For the whole download, redirects included. Half of what a handler may take.
        timeout: Duration = Duration::from_secs(12), in Duration::from_millis(50)..=Duration::from_secs(120);
        /// For a new connection.
        connect_timeout: Duration = Duration::from_secs(3), in Duration::from_millis(50)..=Duration::from_secs(60);
        /// The largest transcription. Ten hours of speech are about 600 KB of text.
        max_body: ByteSize = ByteSize::new(4 << 20), in ByteSize::new(1 << 10)..=ByteSize::new(64 << 20);
        /// Redirects followed, each checked like the first address.
        redirects: u8 = 3, in 0..=10;
        /// Private or loopback networks that may be called beside the public internet.
        allow: Vec<IpNet> = Vec::new();
        /// Whether plain http will do: only for a store of transcriptions in one's own network.
        allow_http: bool = false;
    }
}

section! {
    /// Embeddings of passages, from an OpenAI-compatible endpoint.
    pub struct EmbeddingsSettings in "embeddings" {
        /// The endpoint's https URL, the one that ends in `/v1/embeddings`. Unset: passages are found by their words only.
        url: Option<Url> = None;
        /// Its API key, sent as a bearer token.
        key: Option<Secret> = None;
        /// The model. Changing it does not touch passages that have embeddings already.
        model: String = "text-embedding-3-small".to_owned();
        /// Passages sent at once.
        batch: u16 = 96, in 1..=2048;
        /// For one request. With a download before it, a handler's time must suffice for both.
        timeout: Duration = Duration::from_secs(12), in Duration::from_millis(50)..=Duration::from_secs(120);
        /// For a new connection.
        connect_timeout: Duration = Duration::from_secs(3), in Duration::from_millis(50)..=Duration::from_secs(60);
    }
}

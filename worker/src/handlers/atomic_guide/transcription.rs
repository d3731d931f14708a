//! Finished transcriptions (document C): fetched, cut into passages, embedded where an endpoint is set, and stored.
//!
//! The search index is a column and the notifications are a view, so nothing here depends on what else has arrived.

mod embed;
mod fetch;
mod passages;
mod text;

#[cfg(test)]
mod tests;

use std::{io, sync::Arc};

use lychgate_common::{
    change::{Change, Table},
    clock::Clock,
    row,
    settings::{EmbeddingsSettings, TranscriptionSettings},
};

use self::{embed::Embeddings, fetch::Fetch};
use super::{Told, out_of_range};
use crate::handler::Failure;

/// The newest transcription of each video.
pub(super) static TRANSCRIPT: Table = Table {
    name: "transcript",
    key: &["source", "video_id"],
    columns: &[
        "job_id",
        "url",
        "format",
        "content",
        "confidence",
        "duration_seconds",
        "passages",
        "embedding_model",
        "completed_at",
    ],
};

/// Its passages.
pub(super) static PASSAGE: Table = Table {
    name: "transcript_passage",
    key: &["source", "job_id", "position"],
    columns: &["video_id", "start_seconds", "end_seconds", "content", "embedding"],
};

/// How transcriptions are fetched and embedded. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Transcriptions {
    fetch: Arc<Fetch>,
    embeddings: Option<Arc<Embeddings>>,
}

impl Transcriptions {
    /// As the settings say.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub fn open(settings: &TranscriptionSettings, embeddings: &EmbeddingsSettings, clock: &Clock) -> io::Result<Self> {
        Ok(Self {
            fetch: Arc::new(Fetch::open(settings, clock)?),
            embeddings: Embeddings::open(embeddings, clock)?.map(Arc::new),
        })
    }

    pub(super) async fn completed(&self, told: &Told<'_>) -> Result<Vec<Change>, Failure> {
        let data = &told.data;
        let (job, video, url) = (data.text("jobId")?, data.text("videoId")?, data.text("transcriptionUrl")?);
        let (confidence, duration) = (data.number("confidence")?, data.number("duration")?);
        if duration < 0.0 {
            return Err(out_of_range(data, "duration", "at least 0 seconds"));
        }
        let fetched = self.fetch.text(&url).await?;
        let spoken = text::read(&fetched)?;
        let passages = passages::cut(&spoken.lines);
        let embedded = match &self.embeddings {
            Some(embeddings) => {
                Some(embeddings.of(&passages.iter().map(|passage| passage.text.as_str()).collect::<Vec<_>>()).await?)
            }
            None => None,
        };
        let transcript = row! {
            "video_id" => video,
            "job_id" => job,
            "url" => url,
            "format" => spoken.format,
            "content" => spoken.whole(),
            "confidence" => confidence,
            "duration_seconds" => duration,
            "passages" => passages.len(),
            "embedding_model" => self.embeddings.as_ref().map(|embeddings| embeddings.model()),
            "completed_at" => told.at,
        };
        let mut changes = vec![told.merge(&TRANSCRIPT, transcript)];
        for (at, passage) in passages.iter().enumerate() {
            let row = row! {
                "job_id" => job,
                "position" => at,
                "video_id" => video,
                "start_seconds" => passage.start,
                "end_seconds" => passage.end,
                "content" => passage.text,
                "embedding" => embedded.as_ref().and_then(|all| all.get(at)),
            };
            changes.push(told.merge(&PASSAGE, row));
        }
        Ok(changes)
    }
}

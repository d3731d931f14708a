//! The handler of the preset `service`: finished transcriptions, users' behaviour.

use futures_util::future::BoxFuture;
use lychgate_common::event::Event;

use super::{Told, Transcriptions, behaviour, fields, fields::Fields, handled};
use crate::handler::{Failure, Handled, Handler};

/// What services tell.
#[derive(Clone, Debug)]
pub struct Service {
    transcriptions: Transcriptions,
}

impl Service {
    /// A handler that fetches transcriptions as `transcriptions` says.
    pub fn new(transcriptions: Transcriptions) -> Self {
        Self { transcriptions }
    }

    async fn told(&self, event: &Event) -> Result<Handled, Failure> {
        let payload = fields::parse(&event.body)?;
        let root = Fields::root(&payload)?;
        let changes = match event.kind.as_ref() {
            "transcription.completed" => {
                Some(self.transcriptions.completed(&Told::new(event, root.object("data")?)).await?)
            }
            "user.behavior" => Some(behaviour::changes(&Told::new(event, root.object("data")?))?),
            _ => None,
        };
        Ok(handled(event, changes))
    }
}

impl Handler for Service {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Failure>> {
        Box::pin(self.told(event))
    }
}

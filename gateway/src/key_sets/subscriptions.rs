//! Confirms that a topic may send here, by visiting the address in its question.
//!
//! Only for questions that have proven authentic, of a topic in the settings, with an address on SNS' own hosts; and off
//! the sender's path, because SNS waits for the answer to its question meanwhile.

use std::time::Duration;

use lychgate_common::source::{self, Source, Subscription};

use super::{DEADLINE, Failed, KeySets};

/// The pauses before each try. SNS keeps the address good for three days, but sends the question only once.
const PAUSES: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(5), Duration::from_secs(60), Duration::from_secs(600)];

impl KeySets {
    /// Does what an authentic request about a subscription asks for.
    pub(crate) fn subscription(&self, source: &Source, request: &source::Request<'_>) {
        match source.subscription(request) {
            Some(Subscription::Asked { topic, confirm }) => {
                let (sets, name) = (self.clone(), source.name().clone());
                tokio::spawn(async move {
                    for pause in PAUSES {
                        tokio::time::sleep(pause).await;
                        let visited = tokio::time::timeout(DEADLINE, sets.fetch(confirm.as_str(), "*/*")).await;
                        match visited.unwrap_or(Err(Failed::Slow)) {
                            Ok(_) => return tracing::info!(source = %name, topic, "subscription confirmed"),
                            Err(error) => tracing::warn!(source = %name, topic, %error, "subscription not confirmed"),
                        }
                    }
                    tracing::error!(source = %name, topic, "given up: have SNS ask for the confirmation again");
                });
            }
            Some(Subscription::Ended { topic }) => {
                tracing::warn!(source = %source.name(), topic, "the topic's subscription has ended: nothing more will come");
            }
            None => {}
        }
    }
}

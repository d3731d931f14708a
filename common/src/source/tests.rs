//! What sources promise, proven on the senders' own published vectors.

mod jws;
mod kit;
mod names;
mod properties;
mod providers;
mod refusals;
mod settings;
mod vectors;

//! What sources promise, proven on the senders' own published vectors.

mod certified;
mod evidence;
mod handshakes;
mod jws;
mod kinds;
mod kit;
mod more_providers;
mod names;
mod properties;
mod providers;
mod quirks;
mod refusals;
mod settings;
mod vectors;

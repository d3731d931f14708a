//! The worker's half of a webhook's way: consume, decode, claim, handle, verdict, settle.

pub mod handler;
pub mod handlers;
pub mod operate;

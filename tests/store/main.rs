//! The store's promises, on a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod bundles;
mod claims;
mod emits;
mod records;
mod retention;
mod settles;

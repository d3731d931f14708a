//! The store's promises, on a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test that cannot go on says so

mod claims;
mod records;
mod settles;

//! The store's promises, on a real PostgreSQL.

mod claims;
mod records;
mod settles;

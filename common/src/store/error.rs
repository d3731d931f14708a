//! What can go wrong with the store, and whose fault it is.
//!
//! The text of a PostgreSQL error is for the log; it never reaches a sender.

use std::time::Duration;

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection: the server is away, refuses us, or all connections are busy past the deadline.
    #[error("the database cannot be reached: {0}")]
    Away(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The data itself is refused (SQLSTATE classes 21, 22, 23 and 54): the same statement will fail again.
    #[error("the database refuses the data: {0}")]
    Data(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Anything else the server said: a time-out, a lock, a restart. Worth another try.
    #[error("the database failed: {0}")]
    Server(#[source] tokio_postgres::Error),
    /// More work is waiting than the setting `database.queue` allows.
    #[error("too much work is waiting for the database")]
    Overloaded,
    /// The schema is not the one this build knows.
    #[error("{0}")]
    Schema(String),
    /// The schema is of a later build than this one, which goes on beside it and does not start on it.
    #[error("{0}")]
    NewerSchema(String),
    /// A row does not have the shape that this build wrote.
    #[error("a stored row cannot be read: {0}")]
    Row(String),
}

impl StoreError {
    /// Whether the guilty row must be found by splitting the batch, rather than the batch tried again.
    pub fn is_data(&self) -> bool {
        matches!(self, Self::Data(_))
    }

    /// Whether the server is away or in trouble, so that the same statement may succeed later.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Server(_))
    }

    /// A refusal of data that this house found before the server could.
    pub fn refused_data(why: &str) -> Self {
        Self::Data(why.into())
    }

    /// The server has not answered in this time, and neither have its own deadlines.
    pub(crate) fn silent(patience: Duration) -> Self {
        Self::Away(format!("no answer within {patience:?}").into())
    }

    /// Whether a row had no partition to go to: the clock has run past those made ahead.
    pub(crate) fn is_missing_partition(&self) -> bool {
        matches!(self, Self::Data(error) if error
            .downcast_ref::<tokio_postgres::Error>()
            .and_then(tokio_postgres::Error::as_db_error)
            .is_some_and(|db| db.code() == &SqlState::CHECK_VIOLATION && db.constraint().is_none()))
    }

    /// Whether a lock was not to be had in the time that was given for it.
    pub(crate) fn is_locked_out(&self) -> bool {
        matches!(self, Self::Server(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE))
    }

    /// The server's own words, e.g. which constraint or that there is no such database; for the attempt's record and the
    /// log.
    pub fn detail(&self) -> String {
        match self {
            Self::Data(error) => match error.downcast_ref::<tokio_postgres::Error>() {
                Some(error) => server_words(error),
                None => error.to_string(),
            },
            Self::Server(error) => server_words(error),
            Self::Away(error) => format!("the database cannot be reached: {}", chain(error.as_ref())),
            Self::Overloaded | Self::Schema(_) | Self::NewerSchema(_) | Self::Row(_) => self.to_string(),
        }
    }
}

/// An error and its causes, without those that only repeat what was said.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_words = cause.to_string();
        if !words.contains(&cause_words) {
            words.push_str(": ");
            words.push_str(&cause_words);
        }
        next = cause.source();
    }
    words
}

fn server_words(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{} ({})", db.message(), db.code().code()),
        None => error.to_string(),
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.code().map(SqlState::code).and_then(|code| code.get(..2)) {
            Some("21" | "22" | "23" | "54") => Self::Data(error.into()),
            // A value that the client cannot encode never reached the server; it would fail the same way again.
            None if error.to_string().starts_with("error serializing parameter") => Self::Data(error.into()),
            None => Self::Away(error.into()),
            Some(_) => Self::Server(error),
        }
    }
}

impl From<PoolError> for StoreError {
    fn from(error: PoolError) -> Self {
        match error {
            // The pool would add that it was making a new object.
            PoolError::Backend(error) => Self::Away(error.into()),
            error => Self::Away(error.into()),
        }
    }
}

//! A value that is replaced as a whole while others use it: what a reload of the settings swaps.
//!
//! Whoever loads it keeps what was in force at that moment for as long as needed, so that one request never sees half
//! of the old and half of the new.

use std::sync::{Arc, PoisonError, RwLock};

/// The value in force.
#[derive(Debug, Default)]
pub struct Live<T>(RwLock<Arc<T>>);

impl<T> Live<T> {
    /// In force from the start.
    pub fn new(value: T) -> Self {
        Self(RwLock::new(Arc::new(value)))
    }

    /// What is in force now.
    pub fn load(&self) -> Arc<T> {
        // The lock guards one pointer, which is whole even where a thread panicked with it.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another in force, for all who load from now on.
    pub fn swap(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_loaded_keeps_what_was_in_force() {
        let live = Live::new(1);
        let before = live.load();
        live.swap(2);
        assert_eq!((*before, *live.load()), (1, 2));
    }
}

//! Memory that jobs take turns with.

use std::sync::{Mutex, PoisonError};

/// As many scratch values as jobs run at once.
#[derive(Default)]
pub(super) struct Pool<S>(Mutex<Vec<S>>);

impl<S: Default> Pool<S> {
    /// Lends one that is free, with what the last job left in it, or a new one.
    pub(super) fn with(&self, f: impl FnOnce(&mut S)) {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut scratch = free.unwrap_or_default();
        f(&mut scratch);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
    }
}

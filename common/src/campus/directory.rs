//! Looks campuses up by what a webhook calls them, from memory for a few seconds.
//!
//! A change in the database takes effect within the directory's time to live, without a restart, and at once where what
//! is remembered refuses a request: then the database is asked again, but not at every stranger's guess. While it is
//! away, a campus that was known stays known, so that the gateway can go on accepting. Unknown names are remembered
//! for a moment too, because a stranger can ask for many; how many names are remembered is bounded.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Mutex as AsyncMutex;

use super::{Campus, CampusError};
use crate::{
    store::{Store, StoreError},
    vault::Vault,
};

/// Longer names than this are nobody's.
const NAME_LIMIT: usize = 255;

/// How long the directory remembers.
#[derive(Clone, Copy, Debug)]
pub struct DirectorySettings {
    /// How long a campus is taken from memory: how late a change may take effect.
    pub known: Duration,
    /// How long an unknown name stays unknown.
    pub unknown: Duration,
    /// How soon after one the next look is allowed that a refused request asks for, by name.
    pub again: Duration,
    /// How many names are remembered at once.
    pub names: usize,
}

impl Default for DirectorySettings {
    /// 5 s for a known campus, 1 s for an unknown name and between two looks out of turn; 10,000 names, more than there are campuses.
    fn default() -> Self {
        Self {
            known: Duration::from_secs(5),
            unknown: Duration::from_secs(1),
            again: Duration::from_secs(1),
            names: 10_000,
        }
    }
}

/// The directory of campuses. One a process, shared.
#[derive(Debug)]
pub struct Directory {
    store: Store,
    vault: Arc<Vault>,
    settings: DirectorySettings,
    slots: Mutex<HashMap<Box<str>, Arc<Slot>>>,
}

/// One name's place. Whoever finds it stale refreshes it while the others wait, so that a storm asks the database once.
type Slot = AsyncMutex<Remembered>;

#[derive(Debug, Default)]
struct Remembered {
    looked: Option<Looked>,
    /// The last look out of turn.
    again: Option<Instant>,
}

#[derive(Debug)]
struct Looked {
    at: Instant,
    found: Option<Arc<Campus>>,
}

impl Looked {
    fn is_fresh(&self, settings: &DirectorySettings) -> bool {
        let lives = if self.found.is_some() { settings.known } else { settings.unknown };
        self.at.elapsed() < lives
    }
}

impl Directory {
    /// An empty directory over `store`.
    pub fn new(store: Store, vault: Arc<Vault>, settings: DirectorySettings) -> Self {
        Self { store, vault, settings, slots: Mutex::default() }
    }

    /// The campus that a webhook calls `name`: its church id, or our own campus id.
    ///
    /// # Errors
    /// [`CampusError::Store`] or [`CampusError::Vault`]: our own trouble, to be answered 503.
    pub async fn find(&self, name: &str) -> Result<Option<Arc<Campus>>, CampusError> {
        if name.is_empty() || name.len() > NAME_LIMIT || name.contains('\0') {
            return Ok(None);
        }
        let slot = self.slot(name);
        let mut slot = slot.lock().await;
        if let Some(looked) = slot.looked.as_ref().filter(|looked| looked.is_fresh(&self.settings)) {
            return Ok(looked.found.clone());
        }
        match self.look(name, &mut slot).await {
            Err(CampusError::Store(StoreError::Away(error))) => {
                match slot.looked.as_ref().and_then(|last| last.found.clone()) {
                    Some(campus) => Ok(Some(campus)),
                    None => Err(CampusError::Store(StoreError::Away(error))),
                }
            }
            looked => looked,
        }
    }

    /// The campus, where the database knows something newer than was remembered `before`: a secret made a moment ago, a
    /// campus just added. `None` where it does not, where it is away, or where it was asked out of turn only just now.
    pub async fn find_newer(&self, name: &str, before: Instant) -> Option<Arc<Campus>> {
        let slot = self.slot(name);
        let mut slot = slot.lock().await;
        let looked = slot.looked.as_ref()?;
        if looked.at >= before {
            return looked.found.clone();
        }
        if slot.again.is_some_and(|last| last.elapsed() < self.settings.again) {
            return None;
        }
        slot.again = Some(Instant::now());
        self.look(name, &mut slot).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "a campus could not be looked up again");
            None
        })
    }

    async fn look(&self, name: &str, slot: &mut Remembered) -> Result<Option<Arc<Campus>>, CampusError> {
        let found = self.store.find_campus(name, &self.vault).await?.map(Arc::new);
        slot.looked = Some(Looked { at: Instant::now(), found: found.clone() });
        Ok(found)
    }

    fn slot(&self, name: &str) -> Arc<Slot> {
        // The map is whole even where a thread panicked with the lock: every change to it is one call.
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(name) {
            return Arc::clone(slot);
        }
        if slots.len() >= self.settings.names {
            // Names in use by a lookup are kept, and so are campuses: the database may be away.
            slots.retain(|_, slot| match slot.try_lock() {
                Ok(slot) => slot.looked.as_ref().is_none_or(|looked| looked.found.is_some()),
                Err(_) => true,
            });
        }
        let slot = Arc::new(Slot::default());
        if slots.len() < self.settings.names {
            slots.insert(name.into(), Arc::clone(&slot));
        }
        slot
    }
}

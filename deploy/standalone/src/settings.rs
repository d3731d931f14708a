//! Which settings hold for a command, and which store they lead to.
//!
//! A command that is run beside a `lychgate up` finds its settings and its private database without being told; a
//! settings file that names a database leads there and nowhere else.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use lychgate_common::{
    clock::Clock,
    process::{Ground, Options, StartError},
    queue::Queue,
    settings::{ConsoleSettings, DEFAULT_FILE, Override, Settings},
    source::Source,
    stop::Stop,
    store::{Store, StoreSettings},
};

use crate::{
    cli::DEFAULT_DATA,
    embedded::Embedded,
    output::{self, Usage},
};

/// How long a broker may take to be there before the sweeper's next turn is the faster way.
const CONNECT: Duration = Duration::from_secs(5);

/// What to say where there is nothing to go by.
pub(crate) const NOWHERE: &str = "no settings were found: neither `lychgate.toml` nor `lychgate-data/lychgate.toml` is in this \
                       directory; go where `lychgate up` was started, or name the file with --config";

/// Settings, and where they were found.
#[derive(Debug)]
pub(crate) struct Found {
    /// What holds.
    pub(crate) settings: Settings,
    /// The file, where there is one.
    pub(crate) file: Option<PathBuf>,
}

impl Found {
    /// Reads what the options name, else `lychgate.toml` here, else the one that `lychgate up` wrote into its data
    /// directory here.
    pub(crate) fn read(common: &Options) -> Result<Self, StartError> {
        let usual = usual_files().into_iter().find(|path| path.exists());
        Self::read_with(common.config.clone().or(usual), common, Vec::new())
    }

    /// Reads this file and no other, with the environment and the options over it.
    pub(crate) fn read_with(file: Option<PathBuf>, common: &Options, more: Vec<Override>) -> Result<Self, StartError> {
        Ok(Self { settings: common.settings_of(file.as_deref(), more)?, file })
    }

    /// Whether commands that are run here find this file without being told.
    pub(crate) fn is_usual(file: &Path) -> bool {
        let real = file.canonicalize().ok();
        real.is_some() && usual_files().into_iter().find_map(|usual| usual.canonicalize().ok()) == real
    }

    /// Whoever says where the console is to be must not look for it there in vain.
    pub(crate) fn tell_of_no_console(&self) {
        let listen = self.settings.console.listen;
        if listen != ConsoleSettings::default().listen {
            output::aside(format_args!(
                "note: this version has no console: nothing listens at console.listen ({listen})"
            ));
        }
    }

    /// The directories in which a `lychgate up` with these settings may keep its data.
    pub(crate) fn data_directories(&self) -> Vec<PathBuf> {
        let beside = self.file.as_deref().and_then(Path::parent).map(Path::to_path_buf).unwrap_or_default();
        let within = beside.join(DEFAULT_DATA);
        vec![if beside.as_os_str().is_empty() { PathBuf::from(".") } else { beside }, within]
    }

    /// The store's settings: the database that is configured, else the private one of a running `lychgate up`.
    pub(crate) fn store_settings(&self) -> anyhow::Result<StoreSettings> {
        if self.settings.database.url.is_none()
            && let Some(url) = self.data_directories().iter().find_map(|data| Embedded::url_of_running(data))
        {
            return Ok(self.settings.database.store(url));
        }
        let required = self.settings.database.required();
        Ok(required.map_err(|fault| match &self.file {
            None => Usage(NOWHERE.to_owned()),
            Some(file) => {
                let file = file.display();
                Usage(format!("no `lychgate up` is running with {file}: start it; or {fault}"))
            }
        })?)
    }

    /// The source of this name.
    pub(crate) fn source<'a>(&self, sources: &'a [Source], name: &str) -> Result<&'a Source, Usage> {
        let names: Vec<&str> = sources.iter().map(|source| source.name().as_ref()).collect();
        sources.iter().find(|source| source.name().as_ref() == name).ok_or_else(|| match &self.file {
            None if names.is_empty() => Usage(NOWHERE.to_owned()),
            _ if names.is_empty() => Usage(format!("there is no source `{name}`: the settings have none at all")),
            _ => Usage(format!("there is no source `{name}` in the settings: one of {}", names.join(", "))),
        })
    }

    /// What handlers and queue need, for commands that use them as a worker does.
    pub(crate) fn ground(&self) -> anyhow::Result<Ground> {
        let stop = Stop::new(self.settings.stop.deadline);
        Ok(Ground::open(Arc::new(self.settings.clone()), &self.store_settings()?, stop)?)
    }

    /// The store, its schema checked: an operator's command must not misread another version's tables.
    pub(crate) async fn store(&self) -> anyhow::Result<Store> {
        let store = Store::open(&self.store_settings()?, Clock::system())?;
        store.check_schema().await.context("this database cannot be used")?;
        Ok(store)
    }
}

/// The queue, once it takes messages. Without it the sweeper finds the rows.
pub(crate) async fn connected(ground: &Ground) -> Option<Queue> {
    let Queue::Broker(broker) = &ground.queue else { return None };
    let mut state = broker.watch();
    let up = state.wait_for(|state| state.is_up());
    tokio::time::timeout(CONNECT, up).await.ok()?.ok()?;
    Some(ground.queue.clone())
}

/// The files that are read where none is named, the first that exists.
fn usual_files() -> [PathBuf; 2] {
    [PathBuf::from(DEFAULT_FILE), Path::new(DEFAULT_DATA).join(DEFAULT_FILE)]
}

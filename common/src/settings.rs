//! Everything that can be set, for every process: one TOML file, environment variables over it, options over both.
//!
//! All mistakes are reported at once, each with its place; unknown keys are mistakes. Defaults stand beside the section
//! that reads them. Nothing here opens a connection or a listener.

mod contradictions;
mod environment;
mod faithflow;
mod fault;
mod forward;
mod gateway;
mod input;
mod listeners;
mod mail;
mod rate;
mod reader;
mod secrets;
mod security;
mod setting;
mod share;
mod source;
mod stores;
mod supabase;
mod transcription;
mod tree;
mod upkeep;
mod value;
mod webhooks;
mod worker;

use std::sync::Arc;

use self::tree::{Origin, Place};
pub use self::{
    faithflow::FaithflowSettings,
    fault::{Fault, Faults},
    forward::ForwardSettings,
    gateway::GatewaySettings,
    input::{DEFAULT_FILE, Input, Override, SettingsFile},
    listeners::{ConsoleSettings, LogFormat, LogLevel, LogSettings, OpsSettings},
    mail::{MailBy, MailSettings, Mailbox, SmtpTls},
    rate::{OnLimit, Rate, RateLimit},
    reader::{Reader, Shown},
    secrets::EncryptionKey,
    security::SecuritySettings,
    setting::Row,
    share::Share,
    stores::{BrokerSection, DatabaseSettings, Prefix, SecretsSettings},
    supabase::{IbamSettings, SupabaseSettings},
    transcription::{EmbeddingsSettings, TranscriptionSettings},
    tree::Section,
    upkeep::{RetentionSettings, StopSettings, SweepSettings},
    value::{ByteSize, Readable},
    webhooks::WebhooksSettings,
    worker::{MAX_PREFETCH, RetrySettings, WorkerSettings},
};
use crate::queue::broker::BrokerSettings;

/// Makes [`Settings`] of its sections: the fields, their reading and the reference, in one list.
macro_rules! settings {
    ($($(#[doc = $about:literal])+ $field:ident: $type:ident,)+) => {
        /// All settings, checked. `Default` is what holds where nothing is set.
        #[derive(Clone, Debug, Default)]
        pub struct Settings {
            $($(#[doc = $about])+ pub $field: $type,)+
            /// The `[[source]]` tables, for the room of the sources to read.
            pub sources: Vec<Section>,
            shown: Vec<Shown>,
            /// What they were read from.
            input: Arc<Input>,
        }

        /// Every setting with its default and its meaning, section by section.
        pub fn reference() -> Vec<Row> {
            [$($type::rows()),+].concat()
        }

        fn sections(root: &Section, faults: &mut Faults) -> Settings {
            // Its own list: the sections found below borrow from this reader while the next ones are read.
            let mut of_root = Faults::new();
            let mut reader = root.reader(&mut of_root);
            $(let $field = reader.section($type::SECTION);)+
            let sources = reader.sections("source").into_iter().cloned().collect();
            reader.finish();
            let mut shown = Vec::new();
            $(let $field = {
                let absent = Section::empty($type::SECTION, root.place.clone(), &root.origin);
                let mut reader = $field.unwrap_or(&absent).reader(faults);
                let section = $type::read(&mut reader);
                shown.extend(reader.finish());
                section
            };)+
            faults.extend(of_root);
            Settings { $($field,)+ sources: source::named(sources), shown, input: Arc::default() }
        }
    };
}

settings! {
    /// `[database]`: PostgreSQL.
    database: DatabaseSettings,
    /// `[broker]`: RabbitMQ.
    broker: BrokerSection,
    /// `[gateway]`: the public listener, its limits, the group commit.
    gateway: GatewaySettings,
    /// `[worker]`: how much at once, how long, for whom.
    worker: WorkerSettings,
    /// `[retry]`: the schedule.
    retry: RetrySettings,
    /// `[sweep]`: how lost messages are found.
    sweep: SweepSettings,
    /// `[retention]`: how long things are kept.
    retention: RetentionSettings,
    /// `[stop]`: how a process ends.
    stop: StopSettings,
    /// `[ops]`: health and metrics.
    ops: OpsSettings,
    /// `[console]`: the operators' page.
    console: ConsoleSettings,
    /// `[log]`: the log.
    log: LogSettings,
    /// `[secrets]`: encryption at rest.
    secrets: SecretsSettings,
    /// `[security]`: when an attack is an alert.
    security: SecuritySettings,
    /// `[faithflow]`: campuses and their core systems.
    faithflow: FaithflowSettings,
    /// `[transcription]`: how transcriptions are fetched.
    transcription: TranscriptionSettings,
    /// `[embeddings]`: how their passages are embedded.
    embeddings: EmbeddingsSettings,
    /// `[forward]`: how events are delivered to the user's own services.
    forward: ForwardSettings,
    /// `[webhooks]`: who is told of events by subscription.
    webhooks: WebhooksSettings,
    /// `[mail]`: how mails are sent.
    mail: MailSettings,
    /// `[supabase]`: IBAM's auth users.
    supabase: SupabaseSettings,
    /// `[ibam]`: IBAM's learners.
    ibam: IbamSettings,
}

impl Settings {
    /// Reads and checks everything; on any mistake returns all of them.
    pub fn read(input: &Input) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let root = tree(input, &mut faults);
        let settings = Self { input: Arc::new(input.clone()), ..sections(&root, &mut faults) };
        contradictions::find(&settings, &root, &mut faults);
        // Read here only for its mistakes, so that they stand among the others.
        drop(crate::source::from_settings(&settings, &mut faults));
        faults.none_or(settings)
    }

    /// Reads the same file again, with the environment and the options of the first time over it.
    pub fn again(&self) -> Result<Self, Faults> {
        let mut input = Input::clone(&self.input);
        if let Some(file) = &mut input.file {
            *file = SettingsFile::load(&file.path).map_err(Faults::from)?;
        }
        Self::read(&input)
    }

    /// What the broker needs, where one is set.
    pub fn broker(&self) -> Option<BrokerSettings> {
        self.broker.broker(&self.retry.schedule, self.stop.deadline)
    }

    /// Every setting in force, secrets redacted, in the reference's order.
    pub fn effective(&self) -> &[Shown] {
        &self.shown
    }
}

/// The file with everything from outside laid over it.
fn tree(input: &Input, faults: &mut Faults) -> Section {
    let (folder, private) = match &input.file {
        Some(file) => (file.path.parent().map(ToOwned::to_owned).unwrap_or_default(), file.private),
        None => Default::default(),
    };
    let origin = Arc::new(Origin { environment: input.environment.clone(), folder, private });
    let mut root = match &input.file {
        Some(file) => {
            let name = file.path.file_name().unwrap_or(file.path.as_os_str()).to_string_lossy();
            Section::parse(&Arc::from(name), &file.text, &origin, faults)
        }
        None => Section::empty("", Place::File(DEFAULT_FILE.into(), 0), &origin),
    };
    environment::overlay(&mut root, &origin, faults);
    for option in &input.options {
        let place = Place::Outside(option.option.into());
        root.set(option.key, Section::outside(option.key, &option.value, &place, &origin));
    }
    root
}

/// A reader over a piece of TOML, for tests of rooms that read their own section.
impl Section {
    /// Parses `text` as a section named `path`, as if it stood in a private `lychgate.toml`, with this environment.
    pub fn of_text(path: &str, text: &str, environment: &[(&str, &str)], faults: &mut Faults) -> Self {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let origin = Arc::new(Origin { environment, private: true, ..Origin::default() });
        let mut section = Self::parse(&DEFAULT_FILE.into(), text, &origin, faults);
        section.rename(path);
        section
    }
}

#[cfg(test)]
mod tests;

//! What settings are read from: one TOML file, the environment, the command line.
//!
//! The only room that touches the process's environment and the settings file; everything behind it works on values.

use std::{
    collections::BTreeMap,
    fmt, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::Fault;

/// The settings file that is read where none is named and this one exists.
pub const DEFAULT_FILE: &str = "lychgate.toml";

/// Everything that settings come from. Later ones win: file, environment, options.
#[derive(Clone, Default)]
pub struct Input {
    /// The file, where there is one.
    pub file: Option<SettingsFile>,
    /// The whole environment: `LYCHGATE_…` overrides, and what `env:NAME` refers to.
    pub environment: BTreeMap<String, String>,
    /// What options of the command line set.
    pub options: Vec<Override>,
}

impl fmt::Debug for Input {
    /// Without values, among which are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.file.as_ref().map(|file| &file.path);
        f.debug_struct("Input").field("file", &path).finish_non_exhaustive()
    }
}

/// A settings file's text.
#[derive(Clone)]
pub struct SettingsFile {
    /// Where it is: how mistakes name it, and where relative `file:` references start.
    pub path: PathBuf,
    /// Its content.
    pub text: String,
    /// Only its owner can read it (mode 0600 or stricter), so secrets may stand in it.
    pub private: bool,
}

impl fmt::Debug for SettingsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SettingsFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// One setting given as an option.
#[derive(Clone)]
pub struct Override {
    /// The setting's full name, `database.url`.
    pub key: &'static str,
    /// What mistakes call it, `--database`.
    pub option: &'static str,
    /// As typed.
    pub value: String,
}

impl fmt::Debug for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Override").field("option", &self.option).finish_non_exhaustive()
    }
}

impl SettingsFile {
    /// Reads a file and looks at its mode.
    pub fn load(path: &Path) -> Result<Self, Fault> {
        let fault = |error: std::io::Error| Fault {
            at: path.display().to_string(),
            what: format!("the settings file cannot be read: {error}"),
        };
        let mode = fs::metadata(path).map_err(fault)?.permissions().mode();
        let text = fs::read_to_string(path).map_err(fault)?;
        Ok(Self { path: path.to_owned(), text, private: mode & 0o077 == 0 })
    }
}

impl Input {
    /// What this process was given: the named file (which must exist) or [`DEFAULT_FILE`] (which need not), and the
    /// environment. Variables that are not UTF-8 are left out: no setting can be one.
    pub fn of_process(file: Option<&Path>, options: Vec<Override>) -> Result<Self, Fault> {
        let file = match file {
            Some(path) => Some(SettingsFile::load(path)?),
            None if Path::new(DEFAULT_FILE).exists() => Some(SettingsFile::load(Path::new(DEFAULT_FILE))?),
            None => None,
        };
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Ok(Self { file, environment, options })
    }
}

//! Finds the PostgreSQL that is installed: the setting, then PATH, then where the systems' packages put it.
//!
//! It never downloads one, and never takes a version that the store does not support.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::EmbeddedError;

/// Names PostgreSQL's directory of programs where it is in no usual place.
const SETTING: &str = "the setting `database.binaries` (LYCHGATE_DATABASE__BINARIES)";

/// The oldest major version that the store's statements run on.
const OLDEST: u32 = 14;

/// Where packages put their versions: a directory whose entries hold a `bin`, newest name first.
const VERSIONED: [&str; 5] = [
    "/usr/lib/postgresql",       // Debian, Ubuntu
    "/usr/local/lib/postgresql", // FreeBSD, local builds
    "/opt/homebrew/opt",         // macOS on ARM
    "/usr/local/opt",            // macOS on Intel
    "/Library/PostgreSQL",       // the macOS installer
];

/// Directories that hold the programs themselves.
const PLAIN: [&str; 5] =
    ["/usr/pgsql/bin", "/usr/lib/postgresql/bin", "/usr/libexec/postgresql", "/usr/local/pgsql/bin", "/usr/bin"];

/// One installed PostgreSQL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Binaries {
    directory: PathBuf,
    /// The major version.
    pub(super) major: u32,
    /// The version as it calls itself, e.g. `15.18`.
    pub(super) version: String,
}

impl Binaries {
    /// The server.
    pub(super) fn postgres(&self) -> PathBuf {
        self.beside("postgres")
    }

    /// The program that makes a cluster.
    pub(super) fn initdb(&self) -> PathBuf {
        self.beside("initdb")
    }

    /// A program of the same directory.
    pub(super) fn beside(&self, program: &str) -> PathBuf {
        self.directory.join(program)
    }
}

/// Everything usable that is installed, the preferred one first. Never empty.
pub(super) fn find(setting: Option<&Path>) -> Result<Vec<Binaries>, EmbeddedError> {
    if let Some(directory) = setting {
        return match look_into(directory) {
            Some(binaries) => Ok(vec![binaries]),
            None => Err(EmbeddedError::NotThere { setting: SETTING, directory: directory.to_path_buf() }),
        };
    }
    let mut found = Vec::new();
    for directory in candidates(env::var_os("PATH").as_deref(), &VERSIONED) {
        if let Some(binaries) = look_into(&directory)
            && !found.contains(&binaries)
        {
            found.push(binaries);
        }
    }
    if found.is_empty() {
        let searched = format!("PATH, {}/*/bin, {}", VERSIONED.join("/*/bin, "), PLAIN.join(", "));
        return Err(EmbeddedError::Missing { searched, setting: SETTING });
    }
    Ok(found)
}

/// Directories that may hold the programs, in order of preference.
fn candidates(path: Option<&std::ffi::OsStr>, versioned: &[&str]) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = path.map(|path| env::split_paths(path).collect()).unwrap_or_default();
    for parent in versioned {
        let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(parent)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((version_in_name(entry.file_name().to_str()?)?, entry.path().join("bin"))))
            .collect();
        versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
        all.extend(versions.into_iter().map(|(_, directory)| directory));
    }
    // Fedora and its kin keep versions side by side as /usr/pgsql-17/bin.
    all.extend((OLDEST..=OLDEST + 20).rev().map(|major| PathBuf::from(format!("/usr/pgsql-{major}/bin"))));
    all.extend(PLAIN.iter().map(PathBuf::from));
    all
}

/// The major version in a directory's name: `15`, `15.2`, `postgresql@15`; nothing else is PostgreSQL's.
fn version_in_name(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("postgresql@").unwrap_or(name);
    digits.split('.').next()?.parse().ok()
}

/// The PostgreSQL of a directory, where there is one that we can use.
fn look_into(directory: &Path) -> Option<Binaries> {
    // Resolved, because the server finds its libraries beside the real file and `/usr/local/bin` often holds links.
    let postgres = directory.join("postgres").canonicalize().ok()?;
    let directory = postgres.parent()?.to_path_buf();
    if !directory.join("initdb").is_file() {
        return None;
    }
    let said = Command::new(&postgres).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let (major, version) = parse_version(&String::from_utf8_lossy(&said.stdout))?;
    (major >= OLDEST).then_some(Binaries { directory, major, version })
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` → 15 and `15.18`.
fn parse_version(said: &str) -> Option<(u32, String)> {
    let version = said.strip_prefix("postgres (PostgreSQL) ")?.split_whitespace().next()?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some((digits.parse().ok()?, version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_postgres_says() {
        let debian = parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n");
        assert_eq!(debian, Some((15, "15.18".to_owned())));
        assert_eq!(parse_version("postgres (PostgreSQL) 18beta1\n"), Some((18, "18beta1".to_owned())));
        assert_eq!(parse_version("bash: postgres: not found"), None);
    }

    #[test]
    fn the_newest_version_of_a_directory_comes_first_and_numerically() {
        let parent = env::temp_dir().join(format!("lychgate-binaries-{}", std::process::id()));
        for name in ["9.6", "15", "17", "postgresql@16", "common"] {
            fs::create_dir_all(parent.join(name).join("bin")).unwrap();
        }
        let all = candidates(None, &[parent.to_str().unwrap()]);
        fs::remove_dir_all(&parent).unwrap();
        let names: Vec<_> = all.iter().filter_map(|path| path.strip_prefix(&parent).ok()).collect();
        assert_eq!(names, ["17/bin", "postgresql@16/bin", "15/bin", "9.6/bin"].map(Path::new));
    }

    #[test]
    fn a_named_directory_without_postgres_is_an_error_and_not_a_search() {
        let error = find(Some(Path::new("/nonexistent"))).unwrap_err().to_string();
        assert!(error.contains("/nonexistent") && error.contains(SETTING), "{error}");
    }
}

//! Where the private server lives: the data directory with its lock, the cluster inside it, the socket's directory.
//!
//! One visible directory holds everything, so that deleting it is a reset. Only where PostgreSQL's account cannot
//! reach it (root working under `/root`), the cluster stands in `/var/lib/lychgate` and a link in the data directory
//! leads there.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{Read, Seek, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{EmbeddedError, account::Account, ephemeral};

/// What the kernel takes as a Unix socket's path, its final NUL included.
const SOCKET_PATH_LIMIT: usize = 108;
/// The name that PostgreSQL gives the socket of port 5432.
pub(super) const SOCKET_NAME: &str = ".s.PGSQL.5432";
/// The lock's file.
pub(super) const LOCK: &str = "lock";
/// Where clusters stand that cannot stand in the data directory.
pub(super) const ELSEWHERE: &str = "/var/lib/lychgate";
/// The file in such a cluster's home that says which link leads there.
const OWNER: &str = "link";

/// A data directory that is ours alone as long as this value lives.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    removed_at_end: bool,
    // Held open for its lock, which the kernel releases however we end.
    _lock: File,
}

impl DataDir {
    /// Creates the directory where it is missing, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, EmbeddedError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(EmbeddedError::file("create", path))?;
        let path = path.canonicalize().map_err(EmbeddedError::file("open", path))?;
        let lock = lock(&path)?;
        Ok(Self { path, removed_at_end: false, _lock: lock })
    }

    /// A directory under the system's temporary one, removed with everything in it when this value is dropped.
    pub(crate) fn ephemeral() -> Result<Self, EmbeddedError> {
        ephemeral::clear_leftovers(&std::env::temp_dir());
        let mut data = Self::open(&ephemeral::create()?)?;
        data.removed_at_end = true;
        Ok(data)
    }

    /// The directory, absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if self.removed_at_end
            && let Err(error) = ephemeral::remove(&self.path)
        {
            tracing::warn!(%error, directory = %self.path.display(), "temporary directory not removed");
        }
    }
}

/// Takes the directory's lock, or says who has it.
fn lock(directory: &Path) -> Result<File, EmbeddedError> {
    let path = directory.join(LOCK);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(EmbeddedError::file("open", &path))?;
    if file.try_lock().is_err() {
        let mut owner = String::new();
        // An unreadable number only makes the message poorer.
        drop(file.read_to_string(&mut owner));
        return Err(EmbeddedError::Taken { directory: directory.to_path_buf(), owner: owner.trim().to_owned() });
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(EmbeddedError::file("write", &path))?;
    Ok(file)
}

/// The paths of one private server.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// PostgreSQL's data directory.
    pub(super) cluster: PathBuf,
    /// The directory of its socket.
    pub(super) socket: PathBuf,
    /// Where it logs.
    pub(super) log: PathBuf,
}

impl Place {
    /// Decides where things stand and makes the directories that PostgreSQL does not make itself.
    pub(super) fn prepare(
        data: &DataDir,
        account: &Account,
        note: &mut dyn FnMut(String),
    ) -> Result<Self, EmbeddedError> {
        if account.is_lent() {
            expose(data.path())?;
        }
        let link = data.file("postgres");
        if !link.exists() && !reachable(data.path(), account) {
            let elsewhere = build_elsewhere(&link, Path::new(ELSEWHERE))?;
            note(format!(
                "{} cannot be entered by {}, under which PostgreSQL has to run: its files are in {}",
                data.path().display(),
                account.name,
                elsewhere.display()
            ));
            for left in left_behind(&link, &elsewhere, Path::new(ELSEWHERE)) {
                note(format!(
                    "{} has the database of a data directory that stood here before; if that was deleted, not moved: rm -r {}",
                    left.display(),
                    super::shell_word(&left)
                ));
            }
        }
        let cluster = link.canonicalize().unwrap_or(link);
        let parent = cluster.parent().unwrap_or(data.path()).to_path_buf();
        let socket = socket_directory(&parent, account)?;
        Ok(Self { cluster, socket, log: data.file("postgres.log") })
    }

    /// The place of a server that another process has prepared in this data directory.
    pub(super) fn of_running(data: &Path) -> Option<Self> {
        let cluster = data.join("postgres").canonicalize().ok()?;
        let socket = socket_path(cluster.parent()?);
        Some(Self { socket, log: data.join("postgres.log"), cluster })
    }

    /// The socket itself.
    pub(super) fn socket_file(&self) -> PathBuf {
        self.socket.join(SOCKET_NAME)
    }
}

/// Lets others pass through a directory of ours, without letting them read it: what is inside guards itself (the
/// settings file is 0600, the cluster 0700).
fn expose(directory: &Path) -> Result<(), EmbeddedError> {
    fs::set_permissions(directory, fs::Permissions::from_mode(0o711)).map_err(EmbeddedError::file("open up", directory))
}

/// Whether the account can walk from the root to this directory.
fn reachable(directory: &Path, account: &Account) -> bool {
    directory.ancestors().all(|step| fs::metadata(step).is_ok_and(|metadata| account.can_enter(&metadata)))
}

/// Makes a home of its own under [`ELSEWHERE`] for the cluster, and the link that leads to it. Its name comes from the
/// link's place and the moment's process, so that a deleted data directory begins afresh.
fn build_elsewhere(link: &Path, under: &Path) -> Result<PathBuf, EmbeddedError> {
    let seed = [link.as_os_str().as_bytes(), &std::process::id().to_le_bytes()].concat();
    let mut home = under.join(short_hash(&seed));
    for number in 2.. {
        if !home.exists() {
            break;
        }
        home.set_extension(number.to_string());
    }
    fs::create_dir_all(&home).map_err(EmbeddedError::file("create", &home))?;
    for directory in [under, &home] {
        expose(directory)?;
    }
    let owner = home.join(OWNER);
    fs::write(&owner, link.as_os_str().as_bytes()).map_err(EmbeddedError::file("write", &owner))?;
    let cluster = home.join("postgres");
    // A dangling link is replaced: its cluster is gone, so there is nothing to keep.
    if fs::symlink_metadata(link).is_ok() {
        fs::remove_file(link).map_err(EmbeddedError::file("replace", link))?;
    }
    fs::create_dir(&cluster).map_err(EmbeddedError::file("create", &cluster))?;
    symlink(&cluster, link).map_err(EmbeddedError::file("create", link))?;
    Ok(cluster)
}

/// The homes that were made for this link before, and that it does not lead to. Never removed by us: their data directory
/// may have been moved, and its own link still leads there.
fn left_behind(link: &Path, cluster: &Path, under: &Path) -> Vec<PathBuf> {
    let homes = fs::read_dir(under).into_iter().flatten().flatten().map(|entry| entry.path());
    let of_link = |home: &PathBuf| fs::read(home.join(OWNER)).is_ok_and(|owner| owner == link.as_os_str().as_bytes());
    homes.filter(|home| Some(home.as_path()) != cluster.parent()).filter(of_link).collect()
}

/// The directory for the socket: beside the cluster, or, where that path is too long for a socket, a short one under
/// `/tmp` whose name belongs to this cluster.
fn socket_path(parent: &Path) -> PathBuf {
    let near = parent.join("run");
    let fits = near.join(SOCKET_NAME).as_os_str().len() < SOCKET_PATH_LIMIT;
    // PostgreSQL reads the setting as a comma-separated list in double quotes.
    if fits && !near.as_os_str().as_bytes().contains(&b'"') {
        return near;
    }
    Path::new("/tmp").join(format!("lychgate-{}", short_hash(parent.as_os_str().as_bytes())))
}

/// Makes the socket's directory, of mode 0700 and the account's.
fn socket_directory(parent: &Path, account: &Account) -> Result<PathBuf, EmbeddedError> {
    let directory = socket_path(parent);
    match DirBuilder::new().mode(0o700).create(&directory) {
        Ok(()) => account.give(&directory).map_err(EmbeddedError::file("give away", &directory))?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            // In /tmp anybody could have put it there first.
            let metadata = fs::symlink_metadata(&directory).map_err(EmbeddedError::file("look at", &directory))?;
            if !metadata.is_dir() || !account.owns(&metadata) || metadata.permissions().mode() & 0o077 != 0 {
                let why = std::io::Error::other("it is not a directory of mode 0700 of PostgreSQL's user: remove it");
                return Err(EmbeddedError::file("use", &directory)(why));
            }
        }
        Err(error) => return Err(EmbeddedError::file("create", &directory)(error)),
    }
    Ok(directory)
}

/// Twelve hex digits that stand for a longer name.
fn short_hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes).get(..6).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_up_on_one_directory_is_refused_by_name() {
        let data = DataDir::ephemeral().unwrap();
        let error = DataDir::open(data.path()).unwrap_err().to_string();
        assert!(error.contains(&std::process::id().to_string()) && error.contains("--data"), "{error}");
    }

    #[test]
    fn a_cluster_whose_data_directory_was_deleted_is_found_again_by_the_next_one_in_its_place() {
        let data = DataDir::ephemeral().unwrap();
        let (link, under) = (data.file("postgres"), data.file("elsewhere"));
        let first = build_elsewhere(&link, &under).unwrap();
        assert_eq!(left_behind(&link, &first, &under), [] as [PathBuf; 0]);
        fs::remove_file(&link).unwrap();
        let second = build_elsewhere(&link, &under).unwrap();
        assert_eq!(left_behind(&link, &second, &under), [first.parent().unwrap()]);
        assert_eq!(link.canonicalize().unwrap(), second.canonicalize().unwrap());
    }

    #[test]
    fn a_deep_directory_gets_a_short_socket_path() {
        let data = DataDir::ephemeral().unwrap();
        let deep = data.path().join("d".repeat(100));
        fs::create_dir(&deep).unwrap();
        let account = Account::choose().unwrap();
        let directory = socket_directory(&deep, &account).unwrap();
        assert!(directory.join(SOCKET_NAME).as_os_str().len() < SOCKET_PATH_LIMIT);
        assert_eq!(socket_directory(&deep, &account).unwrap(), directory, "the same again");
        fs::remove_dir(directory).unwrap();
    }
}

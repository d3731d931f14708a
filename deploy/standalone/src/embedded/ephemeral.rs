//! Data directories for one run: made under the system's temporary one, removed at the end, and by the next such run
//! where the end was a `kill -9`.
//!
//! Removes only what carries our name, is this user's, and is locked by nobody.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    EmbeddedError, pidfile,
    place::{ELSEWHERE, LOCK, Place},
};

/// What their names begin with. No other directory of ours does.
const NAME: &str = "lychgate-ephemeral-";
/// A lock that has been left alone for so long is no directory's that is being made right now.
const SETTLED: Duration = Duration::from_secs(60);

/// Makes a directory that nobody has, for this user alone.
pub(super) fn create() -> Result<PathBuf, EmbeddedError> {
    let mut random = [0_u8; 6];
    // Only a name that is not taken: `create` refuses one that is, so a weak random would be safe too.
    if ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random).is_err() {
        random = std::process::id().to_le_bytes().repeat(2).first_chunk().copied().unwrap_or(random);
    }
    let path = std::env::temp_dir().join(format!("{NAME}{}", hex::encode(random)));
    DirBuilder::new().mode(0o700).create(&path).map_err(EmbeddedError::file("create", &path))?;
    Ok(path)
}

/// Removes a directory and all that belongs to it.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let elsewhere = fs::read_link(path.join("postgres")).ok().filter(|cluster| cluster.starts_with(ELSEWHERE));
    if let Some(home) = elsewhere.as_deref().and_then(Path::parent) {
        fs::remove_dir_all(home)?;
    }
    fs::remove_dir_all(path)
}

/// Removes what earlier runs under `parent` could not remove themselves. A courtesy: what cannot be removed stays.
pub(super) fn clear_leftovers(parent: &Path) {
    let user = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(NAME)
            && fs::symlink_metadata(entry.path()).is_ok_and(|found| found.is_dir() && found.uid() == user);
        if ours && let Err(error) = clear(&entry.path()) {
            tracing::warn!(%error, directory = %entry.path().display(), "an earlier run's directory was not removed");
        }
    }
}

fn clear(directory: &Path) -> io::Result<()> {
    let Ok(lock) = OpenOptions::new().read(true).write(true).open(directory.join(LOCK)) else { return Ok(()) };
    let young = lock.metadata()?.modified()?.elapsed().is_ok_and(|age| age < SETTLED);
    if young || lock.try_lock().is_err() {
        return Ok(());
    }
    // On a system without parent-death signals its server may still run.
    if let Some(place) = Place::of_running(directory) {
        pidfile::wait_out(&place).map_err(io::Error::other)?;
    }
    remove(directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::DataDir;

    fn age(directory: &Path) {
        let lock = OpenOptions::new().write(true).open(directory.join(LOCK)).unwrap();
        let then = lock.metadata().unwrap().modified().unwrap() - 2 * SETTLED;
        lock.set_modified(then).unwrap();
    }

    #[test]
    fn an_ephemeral_directory_is_gone_afterwards() {
        let data = DataDir::ephemeral().unwrap();
        let path = data.path().to_path_buf();
        fs::write(data.file("x"), "y").unwrap();
        drop(data);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_killed_run_left_is_removed_by_the_next_and_what_is_in_use_is_not() {
        let left = create().unwrap();
        drop(DataDir::open(&left).unwrap());
        let young = create().unwrap();
        drop(DataDir::open(&young).unwrap());
        let in_use = DataDir::ephemeral().unwrap();
        age(&left);
        age(in_use.path());
        drop(DataDir::ephemeral().unwrap());
        assert_eq!((left.exists(), young.exists(), in_use.path().exists()), (false, true, true));
        remove(&young).unwrap();
    }
}

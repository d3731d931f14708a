//! The addresses that are really bound, kept in `addresses.json` for `lychgate send` and for scripts.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context;
use lychgate_common::process::Addresses;

/// The file's name in the data directory.
const FILE: &str = "addresses.json";

/// The written file, removed when this is dropped: nobody listens any more then.
#[derive(Debug)]
pub(super) struct Kept(PathBuf);

/// Writes the file, whole or not at all.
pub(super) fn keep(addresses: &Addresses, directory: &Path) -> anyhow::Result<Kept> {
    let (path, fresh) = (directory.join(FILE), directory.join("addresses.json.new"));
    fs::write(&fresh, serde_json::to_string(addresses)? + "\n")
        .and_then(|()| fs::rename(&fresh, &path))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Kept(path))
}

impl Drop for Kept {
    fn drop(&mut self) {
        // A file that stays names addresses at which nobody answers, which `send` then says.
        fs::remove_file(&self.0).ok();
    }
}

/// Where the senders' listener of a running `up` is, by the file in its data directory.
pub(crate) fn of_running(directory: &Path) -> Option<SocketAddr> {
    let text = fs::read_to_string(directory.join(FILE)).ok()?;
    let addresses: BTreeMap<String, SocketAddr> = serde_json::from_str(&text).ok()?;
    addresses.get("listen").copied()
}

#[cfg(test)]
mod tests {
    use lychgate_common::process::bind;

    use super::*;

    #[test]
    fn addresses_are_found_again_while_somebody_listens() {
        let directory = std::env::temp_dir().join(format!("lychgate-addresses-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let mut addresses = Addresses::default();
        let listen = addresses.add("listen", &bind("127.0.0.1:0".parse().unwrap(), "--listen").unwrap()).unwrap();
        let kept = keep(&addresses, &directory).unwrap();
        assert_eq!(of_running(&directory), Some(listen));
        drop(kept);
        assert_eq!(of_running(&directory), None);
        fs::remove_dir_all(&directory).unwrap();
    }
}

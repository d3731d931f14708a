//! As whom the private server runs, and how a program is started so that it ends when we do.
//!
//! PostgreSQL refuses to run as root. As root we lend it the account `postgres`, else `nobody`; as anyone else it runs
//! as ourselves. Nothing here is unsafe: `setpriv` (util-linux) sets user and parent-death signal; where it is missing
//! the standard library sets the user, and a server that we could not take along is ended by the next start.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, chown},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::EmbeddedError;

/// The account that PostgreSQL's programs run under.
#[derive(Clone, Debug)]
pub(super) struct Account {
    /// User and group to change to; `None` when we are not root and stay who we are.
    lent: Option<(u32, u32)>,
    /// Its name, for notes to the user.
    pub(super) name: String,
    setpriv: Option<PathBuf>,
}

impl Account {
    /// Ourselves, or, for root, `postgres`, else `nobody`.
    pub(super) fn choose() -> Result<Self, EmbeddedError> {
        let setpriv = find_setpriv();
        if !rustix::process::geteuid().is_root() {
            return Ok(Self { lent: None, name: "your user".to_owned(), setpriv });
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| ids_of(&passwd, name).map(|ids| (name, ids)))
            .map(|(name, ids)| Self { lent: Some(ids), name: format!("user `{name}`"), setpriv })
            .ok_or(EmbeddedError::NoAccount)
    }

    /// Whether the programs run as somebody else than we.
    pub(super) fn is_lent(&self) -> bool {
        self.lent.is_some()
    }

    /// Hands a file over to the account.
    pub(super) fn give(&self, path: &Path) -> io::Result<()> {
        match self.lent {
            Some((user, group)) => chown(path, Some(user), Some(group)),
            None => Ok(()),
        }
    }

    /// Whether a file belongs to the account.
    pub(super) fn owns(&self, metadata: &fs::Metadata) -> bool {
        metadata.uid() == self.lent.map_or_else(|| rustix::process::geteuid().as_raw(), |(user, _)| user)
    }

    /// Whether the account can pass through a directory.
    pub(super) fn can_enter(&self, metadata: &fs::Metadata) -> bool {
        let Some((user, group)) = self.lent else { return true };
        let needed = if metadata.uid() == user {
            0o100
        } else if metadata.gid() == group {
            0o010
        } else {
            0o001
        };
        metadata.mode() & needed != 0
    }

    /// A command that runs under the account, in a process group of its own (Ctrl-C reaches only us, and we stop it in
    /// order), and that gets SIGINT, PostgreSQL's fast shutdown, when the thread that spawned it ends.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = match &self.setpriv {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                if let Some((user, group)) = self.lent {
                    command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).arg("--clear-groups");
                }
                command.args(["--pdeathsig", "INT", "--"]).arg(program);
                command
            }
            None => {
                let mut command = Command::new(program);
                if let Some((user, group)) = self.lent {
                    command.uid(user).gid(group);
                }
                command
            }
        };
        // The account may not be allowed into our working directory; the messages are to be readable by us.
        command.current_dir("/").env("LC_ALL", "C").env_remove("PGDATA").stdin(Stdio::null()).process_group(0);
        command
    }
}

/// util-linux's `setpriv`, tried once: busybox has one of the same name that knows no parent-death signal.
fn find_setpriv() -> Option<PathBuf> {
    let program = ["/usr/bin/setpriv", "/bin/setpriv"].into_iter().map(PathBuf::from).find(|path| path.is_file())?;
    let tried = Command::new(&program)
        .args(["--pdeathsig", "INT", "--", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success()).then_some(program)
}

/// User and group id of a name in the text of `/etc/passwd`.
fn ids_of(passwd: &str, name: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let mut ids = fields.skip(1).take(2).map(|field| field.parse().ok());
        Some((ids.next()??, ids.next()??))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let passwd = "root:x:0:0::/root:/bin/sh\npostgres2:x:7:7::/:/bin/sh\npostgres:x:101:104:,,,:/:/bin/bash\n";
        assert_eq!(ids_of(passwd, "postgres"), Some((101, 104)));
        assert_eq!(ids_of(passwd, "nobody"), None);
    }
}

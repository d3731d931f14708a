//! Temporary directories that go away with the process that made them, even when it is killed.
//!
//! A small shell (the janitor) waits at the end of a pipe. When the pipe closes, because the directory is dropped or its
//! maker is dead, it stops the processes noted in the directory and removes it. It never touches a process that was not
//! noted here.

use std::{
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

/// A server is asked to stop at once, given two seconds, then killed; then the directory goes.
const JANITOR: &str = r#"
trap '' INT TERM HUP
read -r _
signal() { for note in "$1"/.pids/*; do [ -f "$note" ] && kill "-$2" "$(cat "$note")" 2>/dev/null; done; }
alive() { for note in "$1"/.pids/*; do [ -f "$note" ] && kill -0 "$(cat "$note")" 2>/dev/null && return 0; done; return 1; }
signal "$1" QUIT
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do alive "$1" || break; sleep 0.1; done
signal "$1" KILL
[ -n "$LYCHGATE_TEST_KEEP" ] || rm -rf "$1" || { sleep 1; rm -rf "$1"; }
"#;

/// A name that nobody else has: 32 hex digits.
pub fn unique() -> String {
    let id = lychgate_common::event::EventId::new(lychgate_common::clock::Clock::system().now());
    id.uuid().simple().to_string()
}

/// A directory of one's own under the system's temporary one. Kept when `LYCHGATE_TEST_KEEP` is set.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    janitor: Child,
    pipe: Option<ChildStdin>,
}

impl Directory {
    /// Makes one whose name starts with `lychgate-test-NAME-`. Others may enter it (a server may run as another user).
    pub fn new(name: &str) -> Self {
        let path = tempfile::Builder::new().prefix(&format!("lychgate-test-{name}-")).tempdir().unwrap().keep();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::create_dir(path.join(".pids")).unwrap();
        let mut janitor = Command::new("sh")
            .args(["-c", JANITOR, "janitor"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let pipe = janitor.stdin.take();
        Self { path, janitor, pipe }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Has the janitor stop this process when the directory goes.
    pub fn note(&self, name: &str, pid: u32) {
        std::fs::write(self.path.join(".pids").join(name), pid.to_string()).unwrap();
    }

    /// The process has ended: its number may belong to another by now.
    pub fn forget(&self, name: &str) {
        let _ = std::fs::remove_file(self.path.join(".pids").join(name));
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.janitor.wait();
    }
}

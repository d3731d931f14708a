//! CPU time by program, of everything that this process has started.
//!
//! On a machine that other work shares, rates wander and CPU time per event hardly does: it says who pays. Reads
//! `/proc` only; what ended before it was looked at is not counted.

use std::{collections::BTreeMap, fmt, fs, time::Duration};

/// One clock tick of `/proc/PID/stat`: 100 a second on every Linux that matters (`getconf CLK_TCK`).
const TICK: Duration = Duration::from_millis(10);

/// CPU time spent on so many events.
#[derive(Default)]
pub(crate) struct Spent {
    programs: BTreeMap<String, Duration>,
    events: usize,
}

impl Spent {
    /// Adds what was spent since `before`, on so many events.
    pub(crate) fn add(&mut self, before: &BTreeMap<String, Duration>, events: usize) {
        self.events += events;
        for (program, after) in by_program() {
            *self.programs.entry(program.clone()).or_default() +=
                after - before.get(&program).copied().unwrap_or_default();
        }
    }
}

impl fmt::Display for Spent {
    /// Those who spent anything worth a word, in microseconds an event, and all together.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = |spent: Duration| spent.as_secs_f64() * 1e6 / self.events as f64;
        for (program, spent) in self.programs.iter().filter(|(_, spent)| each(**spent) >= 1.0) {
            write!(f, "{program} {:.0} µs, ", each(*spent))?;
        }
        write!(f, "together {:.0} µs", each(self.programs.values().sum()))
    }
}

/// CPU time so far by the programs' names, this process among them.
pub(crate) fn by_program() -> BTreeMap<String, Duration> {
    let mut processes = BTreeMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name stands in parentheses and may hold anything; fields are counted from the last one.
        let (name, fields) = (stat.find('(').unwrap() + 1, stat.rfind(')').unwrap());
        // From the fourth on: parent …, user time, system time.
        let numbers: Vec<u32> = stat[fields + 4..].split(' ').map(|field| field.trim().parse().unwrap_or(0)).collect();
        processes.insert(pid, (numbers[0], stat[name..fields].to_owned(), TICK * (numbers[10] + numbers[11])));
    }
    let this = std::process::id();
    let ours = |mut pid: u32| loop {
        match processes.get(&pid) {
            _ if pid == this => return true,
            Some((parent, ..)) => pid = *parent,
            None => return false,
        }
    };
    let mut programs = BTreeMap::new();
    for (pid, (_, name, spent)) in processes.iter().filter(|(pid, _)| ours(**pid)) {
        // The bare loop runs from the same file as the load.
        let name = match processes.get(&this) {
            _ if *pid == this => "load",
            Some((_, same, _)) if same == name => "bare",
            Some(_) | None => name.as_str(),
        };
        *programs.entry(name.to_owned()).or_insert(Duration::ZERO) += *spent;
    }
    programs
}

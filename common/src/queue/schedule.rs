//! The retry schedule: five levels, each a delay, each (with RabbitMQ) a queue of its own.
//!
//! One queue per level and never a TTL per message, because expired messages leave a queue only at its head. Pure
//! data; whether an event climbs is the worker's verdict.

use std::time::Duration;

/// 15 s, 60 s, 5 min, 15 min, 1 h: the schedule that document D publishes to its users.
const DEFAULT: [Duration; 5] = [
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(300),
    Duration::from_secs(900),
    Duration::from_secs(3600),
];

/// The delays before the second, third … attempt, strictly rising.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RetrySchedule(Vec<Duration>);

/// Why a schedule was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ScheduleError {
    /// No level, or more than a queue name and a byte can count.
    #[error("a schedule has 1 to 10 levels, this one has {0}")]
    Levels(usize),
    /// Two levels would be one queue, or a later one shorter.
    #[error("each level must be longer than the one before it: {0:?} follows {1:?}")]
    NotRising(Duration, Duration),
    /// A millisecond is the broker's unit.
    #[error("a level is at least 1 ms and at most 24 h: {0:?}")]
    OutOfRange(Duration),
}

impl Default for RetrySchedule {
    fn default() -> Self {
        Self(DEFAULT.to_vec())
    }
}

impl RetrySchedule {
    /// Checks and wraps a list of delays.
    pub fn new(levels: Vec<Duration>) -> Result<Self, ScheduleError> {
        if levels.is_empty() || levels.len() > 10 {
            return Err(ScheduleError::Levels(levels.len()));
        }
        let day = Duration::from_secs(24 * 3600);
        if let Some(level) = levels.iter().find(|level| level.as_millis() < 1 || **level > day) {
            return Err(ScheduleError::OutOfRange(*level));
        }
        for (before, level) in levels.iter().zip(levels.iter().skip(1)) {
            if level <= before {
                return Err(ScheduleError::NotRising(*level, *before));
            }
        }
        Ok(Self(levels))
    }

    /// The delay of a level; `None` past the last: then come the dead letters.
    pub fn delay(&self, level: u8) -> Option<Duration> {
        self.0.get(usize::from(level)).copied()
    }

    /// The shortest level that lasts at least `wanted`, from `level` up; `None` where none does.
    pub fn level_lasting(&self, level: u8, wanted: Duration) -> Option<u8> {
        self.levels().find(|(own, delay)| *own >= level && *delay >= wanted).map(|(level, _)| level)
    }

    /// All levels, shortest first.
    pub fn levels(&self) -> impl Iterator<Item = (u8, Duration)> + '_ {
        (0u8..).zip(self.0.iter().copied())
    }

    /// A level's name in queue names and routing keys: `15s`, `60s`, `5m`, `15m`, `1h`, `250ms`.
    pub fn name(delay: Duration) -> String {
        let millis = delay.as_millis();
        match (millis % 1000, millis / 1000) {
            (0, seconds) if seconds % 3600 == 0 => format!("{}h", seconds / 3600),
            (0, seconds) if seconds % 60 == 0 && seconds > 60 => format!("{}m", seconds / 60),
            (0, seconds) => format!("{seconds}s"),
            _ => format!("{millis}ms"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_levels_have_the_documents_names() {
        let names: Vec<_> = RetrySchedule::default().levels().map(|(_, delay)| RetrySchedule::name(delay)).collect();
        assert_eq!(names, ["15s", "60s", "5m", "15m", "1h"]);
    }

    #[test]
    fn a_level_is_chosen_not_shorter_than_asked() {
        let schedule = RetrySchedule::default();
        assert_eq!(schedule.level_lasting(0, Duration::from_secs(61)), Some(2));
        assert_eq!(schedule.level_lasting(3, Duration::from_secs(1)), Some(3));
        assert_eq!(schedule.level_lasting(0, Duration::from_secs(86_400)), None);
    }

    #[test]
    fn nonsense_is_refused() {
        let seconds = |list: &[u64]| RetrySchedule::new(list.iter().copied().map(Duration::from_secs).collect());
        assert_eq!(seconds(&[]), Err(ScheduleError::Levels(0)));
        assert!(matches!(seconds(&[5, 5]), Err(ScheduleError::NotRising(..))));
        assert!(matches!(seconds(&[0]), Err(ScheduleError::OutOfRange(_))));
    }
}

//! What each signal group showed when.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, SignalState};

/// How long past phases are kept: longer than any proof that looks back.
const KEEP_S: f64 = 900.0;

/// A state and when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// First instant of the state.
    pub since: EventTime,
    /// What the group shows.
    pub state: SignalState,
}

/// The phases of one group in order of time; before the first it is unknown.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SignalHistory {
    phases: VecDeque<Phase>,
}

/// What crossing a stop line at one instant would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Lawful, within the grace of a new red, or nothing is known.
    Free,
    /// Steady amber.
    Amber,
    /// Red, and older than the grace.
    Red,
}

/// What crossing a stop line somewhere in an interval could be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meanings {
    /// It may have been lawful.
    pub free: bool,
    /// It may have been on amber.
    pub amber: bool,
    /// It may have been on red.
    pub red: bool,
}

impl Meanings {
    /// It was on red for certain.
    pub const RED: Self = Self { free: false, amber: false, red: true };
    /// It was on amber for certain.
    pub const AMBER: Self = Self { free: false, amber: true, red: false };

    /// What one or the other could mean.
    #[must_use]
    pub fn or(self, o: Self) -> Self {
        Self { free: self.free || o.free, amber: self.amber || o.amber, red: self.red || o.red }
    }

    fn add(&mut self, m: Meaning) {
        match m {
            Meaning::Free => self.free = true,
            Meaning::Amber => self.amber = true,
            Meaning::Red => self.red = true,
        }
    }
}

impl SignalHistory {
    /// The group shows `state` from `time` on. Lines may come in any order;
    /// of two for one instant the later one counts.
    pub fn insert(&mut self, time: EventTime, state: SignalState) {
        let at = self.phases.partition_point(|p| p.since <= time);
        if at > 0 && self.phases[at - 1].since == time {
            self.phases[at - 1].state = state;
        } else {
            self.phases.insert(at, Phase { since: time, state });
        }
    }

    /// Forget what no proof can reach any more.
    pub fn prune(&mut self, now: EventTime) {
        let horizon = now.plus_seconds(-KEEP_S);
        // The first phase that is kept must have begun before the horizon.
        while self.phases.len() > 1 && self.phases[1].since <= horizon {
            self.phases.pop_front();
        }
    }

    /// The phase at `time`: its state and the first instant of that state,
    /// repeated lines of the same state being heartbeats.
    pub fn as_of(&self, time: EventTime) -> Phase {
        let end = self.phases.partition_point(|p| p.since <= time);
        let Some(mut at) = end.checked_sub(1) else {
            return Phase { since: EventTime::MIN, state: SignalState::Unknown };
        };
        let state = self.phases[at].state;
        while at > 0 && self.phases[at - 1].state == state {
            at -= 1;
        }
        Phase { since: self.phases[at].since, state }
    }

    /// Whether the group shows `state` throughout `[from, to]`.
    pub fn is_throughout(&self, state: SignalState, from: EventTime, to: EventTime) -> bool {
        let phase = self.as_of(to);
        phase.state == state && phase.since <= from
    }

    /// First instant after `from`, and not after `to`, at which the group
    /// shows something other than at `from`.
    pub fn change_after(&self, from: EventTime, to: EventTime) -> Option<EventTime> {
        let state = self.as_of(from).state;
        let start = self.phases.partition_point(|p| p.since <= from);
        self.phases.range(start..).take_while(|p| p.since <= to).find(|p| p.state != state).map(|p| p.since)
    }

    fn meaning(&self, time: EventTime, grace_s: f64) -> Meaning {
        let phase = self.as_of(time);
        match phase.state {
            SignalState::Amber => Meaning::Amber,
            SignalState::Red if time >= phase.since.plus_seconds(grace_s) => Meaning::Red,
            _ => Meaning::Free,
        }
    }

    /// Everything a crossing within `[from, to]` could mean.
    pub fn meanings(&self, from: EventTime, to: EventTime, grace_s: f64) -> Meanings {
        let mut all = Meanings::default();
        all.add(self.meaning(from, grace_s));
        // The meaning changes only where a phase begins or its grace ends.
        let start = self.phases.partition_point(|p| p.since.plus_seconds(grace_s) <= from);
        for phase in self.phases.range(start..).take_while(|p| p.since <= to) {
            for edge in [phase.since, phase.since.plus_seconds(grace_s)] {
                if from < edge && edge <= to {
                    all.add(self.meaning(edge, grace_s));
                }
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(lines: &[(i64, SignalState)]) -> SignalHistory {
        let mut h = SignalHistory::default();
        for &(s, state) in lines {
            h.insert(EventTime(s * 1_000_000_000), state);
        }
        h
    }

    fn at(s: f64) -> EventTime {
        EventTime(0).plus_seconds(s)
    }

    #[test]
    fn before_the_first_line_nothing_is_known() {
        let h = history(&[(10, SignalState::Red)]);
        assert_eq!(h.as_of(at(9.9)).state, SignalState::Unknown);
        assert_eq!(h.meanings(at(9.0), at(9.9), 0.3), Meanings { free: true, ..Meanings::default() });
    }

    #[test]
    fn a_repeated_state_is_a_heartbeat() {
        let h = history(&[(10, SignalState::Red), (12, SignalState::Red), (14, SignalState::Red)]);
        assert_eq!(h.as_of(at(15.0)), Phase { since: at(10.0), state: SignalState::Red });
    }

    #[test]
    fn grace_and_change_within_the_interval_both_show() {
        let h = history(&[(0, SignalState::Amber), (10, SignalState::Red), (20, SignalState::Green)]);
        let m = |a, b| h.meanings(at(a), at(b), 0.3);
        assert_eq!(m(9.98, 10.02), Meanings { amber: true, free: true, red: false });
        assert_eq!(m(10.1, 10.2), Meanings { free: true, ..Meanings::default() });
        assert_eq!(m(10.28, 10.32), Meanings { free: true, red: true, amber: false });
        assert_eq!(m(10.3, 10.34), Meanings { red: true, ..Meanings::default() });
        assert_eq!(m(19.98, 20.0), Meanings { red: true, free: true, amber: false });
        assert_eq!(m(9.0, 21.0), Meanings { red: true, free: true, amber: true });
    }

    #[test]
    fn lines_out_of_order_are_put_in_place() {
        let h = history(&[(20, SignalState::Green), (10, SignalState::Red)]);
        assert_eq!(h.as_of(at(15.0)).state, SignalState::Red);
        assert_eq!(h.change_after(at(15.0), at(30.0)), Some(at(20.0)));
        assert_eq!(h.change_after(at(15.0), at(19.0)), None);
    }
}

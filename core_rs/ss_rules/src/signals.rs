//! What each signal group showed when.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, SignalState};

/// How long past phases are kept: as long as a suspicion can be taken back, which is longer than any proof looks back.
const KEEP_S: f64 = crate::condition::RETRACTABLE_S;

/// A state and when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// First instant at which the group is known to show it.
    pub since: EventTime,
    /// It began after this instant: the same one where a controller tells,
    /// the picture before where lamps are read.
    pub after: EventTime,
    /// What the group shows.
    pub state: SignalState,
}

/// Phases in order of time; before the first the state is unknown.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Phases(VecDeque<Phase>);

/// What one group showed: as its source says, and as a witness does where
/// there is one (the lamps beside the controller's feed, or the other way round).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SignalHistory {
    phases: Phases,
    witness: Phases,
}

/// What crossing a stop line somewhere in an interval could be.
#[expect(clippy::struct_excessive_bools, reason = "each is a possibility of its own")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meanings {
    /// It may have been lawful.
    pub free: bool,
    /// It may have been on amber.
    pub amber: bool,
    /// It may have been on red.
    pub red: bool,
    /// Source and witness do not say the same.
    pub disputed: bool,
}

impl Meanings {
    /// It was on red for certain.
    pub const RED: Self = Self { free: false, amber: false, red: true, disputed: false };
    /// It was on amber for certain.
    pub const AMBER: Self = Self { free: false, amber: true, red: false, disputed: false };

    /// What one or the other could mean.
    #[must_use]
    pub fn or(self, o: Self) -> Self {
        let disputed = self.disputed || o.disputed;
        Self { free: self.free || o.free, amber: self.amber || o.amber, red: self.red || o.red, disputed }
    }
}

impl Phase {
    /// A state from an instant that is known exactly.
    pub fn exact(since: EventTime, state: SignalState) -> Self {
        Self { since, after: since, state }
    }
}

impl SignalHistory {
    /// The source says so. Phases may come in any order; of two for one
    /// instant the later one counts.
    pub fn insert(&mut self, phase: Phase) {
        self.phases.insert(phase);
    }

    /// The witness says so.
    pub fn insert_witness(&mut self, phase: Phase) {
        self.witness.insert(phase);
    }

    /// Forget what no proof can reach any more.
    pub fn prune(&mut self, now: EventTime) {
        let horizon = now.plus_seconds(-KEEP_S);
        self.phases.prune(horizon);
        self.witness.prune(horizon);
    }

    /// The phase at `time` by the source: its state and its beginning,
    /// repeated lines of the same state being heartbeats.
    pub fn as_of(&self, time: EventTime) -> Phase {
        self.phases.as_of(time)
    }

    /// Whether the group shows `state` throughout `[from, to]`, for certain
    /// and with no witness to the contrary.
    pub fn is_throughout(&self, state: SignalState, from: EventTime, to: EventTime) -> bool {
        let phase = self.as_of(to);
        let ends = self.phases.next(to).filter(|next| next.state != state && next.after < to);
        let contrary = |p: &Phase| p.state != SignalState::Unknown && p.state != state;
        phase.state == state
            && phase.since <= from
            && ends.is_none()
            && !self.witness.during(from, to).any(|p| contrary(&p))
    }

    /// Until when `state` from `from` on speaks against what the group was taken for: until the first phase that began
    /// later, or `until`. Absent where it does not, or where the group was not taken for anything.
    pub fn contradicted(
        &self,
        state: SignalState,
        (from, until): (EventTime, EventTime),
    ) -> Option<EventTime> {
        // What was told too late may have begun before `from`, though it counts from an instant after it.
        let later = self.phases.0.range(self.phases.0.partition_point(|p| p.since <= from)..);
        let until = later.filter(|p| p.after >= from).map(|p| p.since).next().map_or(until, |t| t.min(until));
        let last = EventTime(until.0.saturating_sub(1));
        let speaks = from < until && self.phases.during(from, last).any(|taken_for| taken_for.state != state);
        speaks.then_some(until)
    }

    /// Everything a crossing within `[from, to]` could mean, by source and witness.
    pub fn meanings(&self, from: EventTime, to: EventTime, grace_s: f64) -> Meanings {
        let mut all = Meanings::default();
        self.phases.meanings((from, to), grace_s, &mut all);
        let own = all;
        self.witness.known_meanings((from, to), grace_s, &mut all);
        all.disputed = Meanings { disputed: false, ..all } != own;
        all
    }
}

impl Phases {
    fn insert(&mut self, phase: Phase) {
        let at = self.0.partition_point(|p| p.since <= phase.since);
        if at > 0 && self.0[at - 1].since == phase.since {
            self.0[at - 1] = phase;
        } else {
            self.0.insert(at, phase);
        }
    }

    fn prune(&mut self, horizon: EventTime) {
        // The first phase that is kept must have begun before the horizon.
        while self.0.len() > 1 && self.0[1].since <= horizon {
            self.0.pop_front();
        }
    }

    fn as_of(&self, time: EventTime) -> Phase {
        let end = self.0.partition_point(|p| p.since <= time);
        let Some(mut at) = end.checked_sub(1) else {
            return Phase::exact(EventTime::MIN, SignalState::Unknown);
        };
        let state = self.0[at].state;
        while at > 0 && self.0[at - 1].state == state {
            at -= 1;
        }
        self.0[at]
    }

    fn next(&self, time: EventTime) -> Option<Phase> {
        self.0.get(self.0.partition_point(|p| p.since <= time)).copied()
    }

    /// Phases that hold somewhere in `[from, to]` for certain.
    fn during(&self, from: EventTime, to: EventTime) -> impl Iterator<Item = Phase> + '_ {
        let start = self.0.partition_point(|p| p.since <= from).saturating_sub(1);
        self.0.range(start..).take_while(move |p| p.since <= to).copied()
    }

    /// What crossing at `time` could mean: by the phase that holds, and by
    /// one that may have begun.
    fn at(&self, time: EventTime, grace_s: f64, all: &mut Meanings) {
        let now = self.as_of(time);
        match now.state {
            SignalState::Amber => all.amber = true,
            SignalState::Red => {
                all.red |= time >= now.after.plus_seconds(grace_s);
                all.free |= time < now.since.plus_seconds(grace_s);
            }
            _ => all.free = true,
        }
        if let Some(next) = self.next(time).filter(|next| next.after < time && next.state != now.state) {
            match next.state {
                SignalState::Amber => all.amber = true,
                SignalState::Red => {
                    all.free = true;
                    all.red |= time >= next.after.plus_seconds(grace_s);
                }
                _ => all.free = true,
            }
        }
    }

    fn meanings(&self, (from, to): (EventTime, EventTime), grace_s: f64, all: &mut Meanings) {
        self.at(from, grace_s, all);
        // The meaning changes only where a phase may begin, or its grace may end.
        let start = self.0.partition_point(|p| p.since.plus_seconds(grace_s) <= from);
        for phase in self.0.range(start..).take_while(|p| p.after <= to) {
            let begins = EventTime(phase.after.0.saturating_add(i64::from(phase.after < phase.since)));
            for edge in [begins, phase.since].into_iter().flat_map(|t| [t, t.plus_seconds(grace_s)]) {
                if from < edge && edge <= to {
                    self.at(edge, grace_s, all);
                }
            }
        }
    }

    /// As [`Phases::meanings`], but what is unknown adds nothing.
    fn known_meanings(&self, (from, to): (EventTime, EventTime), grace_s: f64, all: &mut Meanings) {
        if self.during(from, to).all(|p| p.since > from || p.state == SignalState::Unknown) {
            return;
        }
        self.meanings((from, to), grace_s, all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(lines: &[(i64, SignalState)]) -> SignalHistory {
        let mut h = SignalHistory::default();
        for &(s, state) in lines {
            h.insert(Phase::exact(EventTime(s * 1_000_000_000), state));
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
        assert_eq!(h.as_of(at(15.0)), Phase::exact(at(10.0), SignalState::Red));
    }

    #[test]
    fn grace_and_change_within_the_interval_both_show() {
        let h = history(&[(0, SignalState::Amber), (10, SignalState::Red), (20, SignalState::Green)]);
        let m = |a, b| h.meanings(at(a), at(b), 0.3);
        assert_eq!(m(9.98, 10.02), Meanings { amber: true, free: true, ..Meanings::default() });
        assert_eq!(m(10.1, 10.2), Meanings { free: true, ..Meanings::default() });
        assert_eq!(m(10.28, 10.32), Meanings { free: true, red: true, ..Meanings::default() });
        assert_eq!(m(10.3, 10.34), Meanings { red: true, ..Meanings::default() });
        assert_eq!(m(19.98, 20.0), Meanings { red: true, free: true, ..Meanings::default() });
        assert_eq!(m(9.0, 21.0), Meanings { red: true, free: true, amber: true, disputed: false });
    }

    #[test]
    fn lines_out_of_order_are_put_in_place() {
        let h = history(&[(20, SignalState::Green), (10, SignalState::Red)]);
        assert_eq!(h.as_of(at(15.0)).state, SignalState::Red);
        assert_eq!(h.as_of(at(25.0)).state, SignalState::Green);
    }

    #[test]
    fn a_change_between_two_pictures_may_be_anywhere_between_them() {
        let mut h = history(&[(0, SignalState::Green)]);
        h.insert(Phase { since: at(10.2), after: at(10.0), state: SignalState::Red });
        h.insert(Phase { since: at(20.2), after: at(20.0), state: SignalState::Green });
        let m = |a, b| h.meanings(at(a), at(b), 0.3);
        assert_eq!(m(9.9, 10.0), Meanings { free: true, ..Meanings::default() });
        assert_eq!(m(10.05, 10.25), Meanings { free: true, ..Meanings::default() }, "within the grace");
        assert_eq!(m(10.35, 10.4), Meanings { free: true, red: true, ..Meanings::default() });
        assert_eq!(m(10.5, 20.0), Meanings::RED);
        assert_eq!(m(19.9, 20.1), Meanings { free: true, red: true, ..Meanings::default() });
        assert!(h.is_throughout(SignalState::Red, at(10.2), at(20.0)));
        assert!(!h.is_throughout(SignalState::Red, at(10.2), at(20.1)));
        assert!(!h.is_throughout(SignalState::Red, at(10.1), at(20.0)));
    }

    #[test]
    fn a_line_too_late_speaks_against_what_the_group_was_taken_for() {
        let mut h = history(&[(10, SignalState::Red), (40, SignalState::Green)]);
        let said = |h: &SignalHistory, state, from, until| h.contradicted(state, (at(from), at(until)));
        assert_eq!(said(&h, SignalState::Red, 20.0, 30.0), None, "the same");
        assert_eq!(said(&h, SignalState::Green, 20.0, 30.0), Some(at(30.0)));
        assert_eq!(said(&h, SignalState::Green, 20.0, 60.0), Some(at(40.0)), "up to what came in time");
        assert_eq!(said(&h, SignalState::Red, 5.0, 60.0), None, "nobody was judged before the first line");
        // A red of 22 s that was known from 32 s on does not end what was green since 25 s.
        h.insert(Phase { since: at(32.0), after: at(22.0), state: SignalState::Red });
        assert_eq!(said(&h, SignalState::Green, 25.0, 36.0), Some(at(36.0)));
    }

    #[test]
    fn a_witness_who_says_otherwise_makes_it_doubtful_and_one_who_knows_nothing_does_not() {
        let mut h = history(&[(0, SignalState::Red)]);
        assert_eq!(h.meanings(at(5.0), at(5.1), 0.3), Meanings::RED);
        h.insert_witness(Phase::exact(at(4.0), SignalState::Unknown));
        assert_eq!(h.meanings(at(5.0), at(5.1), 0.3), Meanings::RED);
        h.insert_witness(Phase { since: at(6.0), after: at(5.8), state: SignalState::Red });
        assert_eq!(h.meanings(at(6.5), at(6.6), 0.3), Meanings::RED);
        h.insert_witness(Phase { since: at(8.0), after: at(7.8), state: SignalState::Green });
        assert_eq!(
            h.meanings(at(8.5), at(8.6), 0.3),
            Meanings { red: true, free: true, amber: false, disputed: true }
        );
        assert!(h.is_throughout(SignalState::Red, at(6.0), at(7.0)));
        assert!(!h.is_throughout(SignalState::Red, at(6.0), at(9.0)));
    }
}

//! A signal that cannot be believed, and since when.
//!
//! What is watched of every group: it lasts too long (`stuck`), it is dark,
//! its feed is silent (`missing`), it is green together with one it was never
//! green with (`conflict`), it skips a state or leaves it far too early
//! (`cycle_outlier`), or a column of vehicles on several lanes runs what it
//! calls red (`platoon`).
//!
//! A fault begins at the last transition that agrees with the plan: nothing
//! that the group said afterwards is believed. It ends with a whole cycle that
//! agrees again, or when a new plan has been learnt. A feed that tells a good
//! plan late agrees with the plan all the time: a fault that a column has shown
//! goes on while more run the red at the junction than usually do, and it began
//! before the first who did. Everything is decided by the times of signal lines
//! and frames; silence after both proves nothing.

mod group;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, SignalState};

use crate::plan::Plan;
use group::{GroupWatch, Open};

/// Transitions in agreement that end a fault: one whole cycle, both ends seen.
const GOOD_CYCLE: u32 = 4;
/// Red runs at the junction are counted over so long a time, about a cycle …
const RUNS_S: f64 = 100.0;
/// … and remembered for this long.
const RUNS_KEPT_S: f64 = 1800.0;
/// Shorter overlaps come from clocks.
const OVERLAP_S: f64 = 1.0;

/// A lane: camera and index.
type Lane = (u16, Option<u16>);

/// What is wrong with a signal group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A state lasts longer than the plan allows.
    Stuck,
    /// No lamp is lit.
    Dark,
    /// The feed is silent, or says that it does not know.
    Missing,
    /// Green together with a group it is never green with.
    Conflict,
    /// A state skipped, or left far too early.
    CycleOutlier,
    /// A column on several lanes runs the red.
    Platoon,
    /// Controller and lamps do not say the same.
    Disagreement,
}

/// How a fault goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultVerb {
    /// It was found.
    Opened,
    /// Another kind of it was found.
    Updated,
    /// The group is believed again.
    Closed,
}

/// News about a fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// When it was decided.
    pub time: EventTime,
    /// Index of the group.
    pub group: u16,
    /// What happened to the fault.
    pub verb: FaultVerb,
    /// From when states are not believed.
    pub since: EventTime,
    /// Every kind of it so far, in order of the enumeration.
    pub kinds: BTreeSet<FaultKind>,
    /// What the group says it shows.
    pub state: SignalState,
    /// What the witness says, where there is one.
    pub witness: Option<SignalState>,
    /// How long it has said so, seconds.
    pub lasted_s: f64,
    /// The longest it usually does, seconds.
    pub longest_s: Option<f64>,
}

/// Watches every group of a junction.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FaultMonitor {
    groups: Vec<GroupWatch>,
    /// Pairs that have been green together while all was well.
    together: BTreeSet<(u16, u16)>,
    /// Pairs that are green together now and never were.
    overlaps: BTreeMap<(u16, u16), Overlap>,
    /// Vehicles that ran a red of the junction: when, and since when it was red.
    runs: VecDeque<(EventTime, EventTime)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Overlap {
    from: EventTime,
    /// Last transition before it that agreed with the plan.
    good: EventTime,
}

impl FaultMonitor {
    /// A watch over groups, each of which is read from lamps or not.
    pub fn new(read: Vec<bool>) -> Self {
        let groups = read.into_iter().map(|read| GroupWatch { read, ..GroupWatch::default() });
        Self { groups: groups.collect(), ..Self::default() }
    }

    /// Time passes: what had to change before `now` and did not.
    pub fn tick(&mut self, now: EventTime, out: &mut Vec<Notice>) {
        while let Some((due, what)) = self.next_deadline().filter(|(due, _)| *due < now) {
            match what {
                Deadline::Stuck(group) => self.open(due, group, FaultKind::Stuck, None, out),
                Deadline::Differ(group) => {
                    let differ = self.groups[usize::from(group)].differ;
                    self.open(due, group, FaultKind::Disagreement, differ, out);
                }
                Deadline::Overlap(pair) => {
                    let good = self.overlaps.remove(&pair).map(|overlap| overlap.good);
                    self.open(due, pair.0, FaultKind::Conflict, good, out);
                    self.open(due, pair.1, FaultKind::Conflict, good, out);
                }
            }
        }
    }

    /// A group shows `state` from `time` on; lines come in order of time.
    pub fn change(&mut self, time: EventTime, group: u16, state: SignalState, out: &mut Vec<Notice>) {
        self.tick(time, out);
        let watch = &mut self.groups[usize::from(group)];
        watch.compare(time, state, watch.witness);
        let Some(since) = watch.since else {
            *watch = GroupWatch { state, partial: true, last_good: time, ..std::mem::take(watch) };
            if state == SignalState::Unknown {
                return; // as before the first line
            }
            watch.since = Some(time);
            if state == SignalState::Dark {
                self.open(time, group, FaultKind::Dark, None, out);
            }
            return;
        };
        if state == watch.state {
            return; // a heartbeat
        }
        let good = watch.last_good;
        let known: Vec<bool> = self.groups.iter().map(|w| w.plan.is_complete()).collect();
        let found = self.groups[usize::from(group)].change(since, time, state);
        self.overlap((time, good), group, &known);
        match found {
            Some(kind) => self.open(time, group, kind, None, out),
            None => self.close(time, group, out),
        }
    }

    /// The witness of a group says `state` from `time` on.
    pub fn witness(&mut self, time: EventTime, group: u16, state: SignalState, out: &mut Vec<Notice>) {
        self.tick(time, out);
        let watch = &mut self.groups[usize::from(group)];
        watch.compare(time, watch.state, state);
        watch.witness = state;
    }

    /// A vehicle on `lane` ran what the group calls red, in a phase that
    /// began at `onset`.
    pub fn red_run(
        &mut self,
        now: EventTime,
        (group, time, onset): (u16, EventTime, EventTime),
        lane: Lane,
        out: &mut Vec<Notice>,
    ) {
        if self.groups[usize::from(group)].has_run(time, lane.0) {
            return;
        }
        let at = self.runs.partition_point(|(t, _)| *t <= time);
        self.runs.insert(at, (time, onset));
        let newest = self.runs.back().map_or(time, |(t, _)| *t);
        while self.runs.front().is_some_and(|(t, _)| newest.seconds_since(*t) > RUNS_KEPT_S) {
            self.runs.pop_front();
        }
        let usual = !self.groups.iter().any(GroupWatch::has_platoon);
        let watch = &mut self.groups[usize::from(group)];
        if watch.run(time, lane, now, usual) {
            self.open(now, group, FaultKind::Platoon, Some(self.run_since(onset)), out);
        }
        if self.runs_exceed(time) {
            for watch in &mut self.groups {
                watch.calm = 0;
            }
        }
    }

    /// Whether more ran a red of the junction in the time before `at` than usually do.
    fn runs_exceed(&self, at: EventTime) -> bool {
        let lately = |t: EventTime| t <= at && at.seconds_since(t) < RUNS_S;
        let runs = self.runs.iter().filter(|(t, _)| lately(*t)).count() as f64;
        let usual: f64 = self.groups.iter().map(|w| RUNS_S * w.usual_runs / (w.red_s + 60.0)).sum();
        runs > usual + 2.0 * usual.sqrt() + 1.0
    }

    /// The onset of the first red that more ran than usually do, of those that
    /// follow each other up to now; `onset` if there is no earlier one.
    fn run_since(&self, onset: EventTime) -> EventTime {
        let mut first = onset;
        let mut until = EventTime::MAX;
        for &(time, began) in self.runs.iter().rev() {
            if until != EventTime::MAX && until.seconds_since(time) >= RUNS_S {
                break; // nobody for a while
            }
            if self.runs_exceed(time) {
                until = time;
                first = first.min(began);
            } else if until != EventTime::MAX {
                first = first.min(began); // the first of those that were too many
            }
        }
        first
    }

    fn next_deadline(&self) -> Option<(EventTime, Deadline)> {
        let stuck = self
            .groups
            .iter()
            .enumerate()
            .filter_map(|(at, w)| Some((w.stuck_at()?, Deadline::Stuck(at as u16))));
        let overlaps =
            self.overlaps.iter().map(|(&pair, o)| (o.from.plus_seconds(OVERLAP_S), Deadline::Overlap(pair)));
        let differ = self
            .groups
            .iter()
            .enumerate()
            .filter_map(|(at, w)| Some((w.differ_at()?, Deadline::Differ(at as u16))));
        stuck.chain(overlaps).chain(differ).min()
    }

    /// Pairs that become or cease to be green together with `group`, by what
    /// was `known` of every group before.
    fn overlap(&mut self, (from, good): (EventTime, EventTime), group: u16, known: &[bool]) {
        for other in (0..self.groups.len() as u16).filter(|&o| o != group) {
            let pair = (group.min(other), group.max(other));
            let (one, two) = (&self.groups[usize::from(pair.0)], &self.groups[usize::from(pair.1)]);
            let both = one.lets_pass() && two.lets_pass();
            let known = known[usize::from(pair.0)] && known[usize::from(pair.1)];
            if !both {
                self.overlaps.remove(&pair);
            } else if !known && one.fault.is_none() && two.fault.is_none() {
                self.together.insert(pair);
            } else if known && !self.together.contains(&pair) {
                let other = self.groups[usize::from(other)].last_good;
                self.overlaps.entry(pair).or_insert(Overlap { from, good: good.max(other) });
            }
        }
    }

    fn open(
        &mut self,
        time: EventTime,
        group: u16,
        kind: FaultKind,
        onset: Option<EventTime>,
        out: &mut Vec<Notice>,
    ) {
        let watch = &mut self.groups[usize::from(group)];
        let since = watch.last_good.min(onset.unwrap_or(EventTime::MAX));
        let verb = if watch.fault.is_some() { FaultVerb::Updated } else { FaultVerb::Opened };
        let fresh = Plan::default();
        let open =
            watch.fault.get_or_insert_with(|| Open { since, kinds: BTreeSet::new(), fresh, stuck: None });
        if kind == FaultKind::Stuck {
            open.stuck = watch.since;
        }
        if kind == FaultKind::Platoon {
            watch.calm = 0;
        }
        if open.kinds.insert(kind) || since < open.since {
            open.since = open.since.min(since);
            let notice = watch.notice(time, group, verb);
            out.extend(notice);
        }
        watch.good = 0;
    }

    fn close(&mut self, time: EventTime, group: u16, out: &mut Vec<Notice>) {
        let watch = &mut self.groups[usize::from(group)];
        let Some(open) = &mut watch.fault else { return };
        let learnt = open.fresh.is_complete() && open.fresh.is_steady();
        // The witness may still follow a change of this instant.
        let differ = watch.differ.is_some_and(|since| since < time);
        let agrees = watch.good >= GOOD_CYCLE || learnt;
        let obeyed = watch.calm >= GOOD_CYCLE || !open.kinds.contains(&FaultKind::Platoon);
        if differ || !agrees || !obeyed {
            return;
        }
        if learnt {
            watch.plan = std::mem::take(&mut open.fresh);
        }
        out.extend(watch.notice(time, group, FaultVerb::Closed));
        if watch.has_platoon() {
            watch.runs.clear(); // they are nobody's habit
        }
        watch.fault = None;
        watch.last_good = time;
        if learnt {
            // Who may be green together under a new plan is not known.
            let others = (0..self.groups.len() as u16).filter(|&o| o != group);
            self.together.extend(others.map(|o| (group.min(o), group.max(o))));
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Deadline {
    Stuck(u16),
    Differ(u16),
    Overlap((u16, u16)),
}

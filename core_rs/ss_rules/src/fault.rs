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
//! agrees again, or when a new plan has been learnt. Everything is decided by
//! the times of signal lines and frames; silence after both proves nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, SignalState};

use crate::plan::{Plan, step};

/// Transitions in agreement that end a fault: one whole cycle, both ends seen.
const GOOD_CYCLE: u32 = 4;
/// Shorter overlaps come from clocks.
const OVERLAP_S: f64 = 1.0;
/// A column of vehicles: at least so many …
const PLATOON: usize = 6;
/// … within this time …
const PLATOON_S: f64 = 20.0;
/// … with no longer gap than this, and five times the spread above the usual.
const HEADWAY_S: f64 = 5.0;

/// Controller and lamps may differ for so long: by their clocks, and by how lamps fade.
const DIFFER_S: f64 = 2.0;

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
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Overlap {
    from: EventTime,
    /// Last transition before it that agreed with the plan.
    good: EventTime,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct GroupWatch {
    state: SignalState,
    /// It is read from lamps.
    read: bool,
    /// What the witness says.
    witness: SignalState,
    /// Since when the two differ.
    differ: Option<EventTime>,
    /// When `state` began; absent before the first line.
    since: Option<EventTime>,
    /// The beginning of `state` was not seen.
    partial: bool,
    last_good: EventTime,
    /// Transitions in agreement since the last that was not.
    good: u32,
    plan: Plan,
    fault: Option<Open>,
    /// Vehicles that lately ran the red: when, and where.
    runs: VecDeque<(EventTime, Lane)>,
    /// Runs before those, and the seconds of red in which they happened.
    usual_runs: f64,
    red_s: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Open {
    since: EventTime,
    kinds: BTreeSet<FaultKind>,
    /// What it does now, in case it is a new plan.
    fresh: Plan,
    /// The phase that is known to be stuck.
    stuck: Option<EventTime>,
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
        let watch = &mut self.groups[usize::from(group)];
        if watch.run(time, lane, now) {
            self.open(now, group, FaultKind::Platoon, Some(onset), out);
        }
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
        if differ || watch.good < GOOD_CYCLE && !learnt {
            return;
        }
        if learnt {
            watch.plan = std::mem::take(&mut open.fresh);
        }
        out.extend(watch.notice(time, group, FaultVerb::Closed));
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

impl GroupWatch {
    fn lets_pass(&self) -> bool {
        matches!(self.state, SignalState::Green | SignalState::Amber)
    }

    /// From `time` on source and witness say this.
    fn compare(&mut self, time: EventTime, source: SignalState, witness: SignalState) {
        let known = source != SignalState::Unknown && witness != SignalState::Unknown;
        if self.differ.is_some_and(|since| time >= since.plus_seconds(DIFFER_S)) {
            self.good = 0;
        }
        self.differ = if known && source != witness { self.differ.or(Some(time)) } else { None };
    }

    /// When source and witness have differed for too long.
    fn differ_at(&self) -> Option<EventTime> {
        let told = |open: &Open| open.kinds.contains(&FaultKind::Disagreement);
        let untold = !self.fault.as_ref().is_some_and(told);
        self.differ.filter(|_| untold).map(|since| since.plus_seconds(DIFFER_S))
    }

    /// When the state that is shown now is known to be stuck.
    fn stuck_at(&self) -> Option<EventTime> {
        let since = self.since?;
        if self.fault.as_ref().is_some_and(|open| open.stuck == Some(since)) {
            return None;
        }
        Some(since.plus_seconds(self.plan.stuck_after_s(step(self.state)?)?))
    }

    /// The next state; answers what is wrong with that.
    fn change(&mut self, since: EventTime, time: EventTime, state: SignalState) -> Option<FaultKind> {
        let lasted_s = time.seconds_since(since);
        let partial = std::mem::replace(&mut self.partial, step(self.state).is_none());
        let before = std::mem::replace(&mut self.state, state);
        self.since = Some(time);
        if before == SignalState::Red {
            self.red_s += lasted_s;
        }
        let (from, to) = match (step(before), step(state)) {
            (Some(from), Some(to)) => (from, to),
            (_, None) => {
                self.good = 0;
                return match state {
                    SignalState::Dark => Some(FaultKind::Dark),
                    SignalState::Unknown if !self.read => Some(FaultKind::Missing),
                    SignalState::Unknown => None,
                    _ => {
                        self.last_good = time; // flashing on purpose
                        None
                    }
                };
            }
            (None, Some(to)) => {
                self.plan.begins(to);
                if self.fault.is_none() {
                    self.last_good = time;
                }
                return None;
            }
        };
        let known_s = (!partial).then_some(lasted_s);
        let was_stuck = self.fault.as_ref().is_some_and(|open| open.stuck == Some(since));
        let strange = self.plan.is_strange(from, to)
            || was_stuck
            || known_s.is_some_and(|lasted_s| self.plan.is_too_short(from, lasted_s));
        if let Some(open) = &mut self.fault {
            open.fresh.begins(to);
            open.fresh.learn(from, to, known_s.filter(|_| !was_stuck));
        } else if !strange {
            self.plan.begins(to);
            self.plan.learn(from, to, known_s);
        }
        if strange {
            return Some(FaultKind::CycleOutlier).filter(|_| !was_stuck);
        }
        self.good += 1;
        if self.fault.is_none() {
            self.last_good = time;
        }
        None
    }

    /// One more vehicle ran the red; answers whether they are a column.
    fn run(&mut self, time: EventTime, lane: Lane, now: EventTime) -> bool {
        let at = self.runs.partition_point(|(t, _)| *t <= time);
        self.runs.insert(at, (time, lane));
        let newest = self.runs.back().map_or(time, |(t, _)| *t);
        while self.runs.front().is_some_and(|(t, _)| newest.seconds_since(*t) > PLATOON_S) {
            self.runs.pop_front();
            self.usual_runs += 1.0;
        }
        let red_now_s = self
            .since
            .filter(|_| self.state == SignalState::Red)
            .map_or(0.0, |since| now.seconds_since(since));
        // One run in a minute of red is where nothing is known.
        let usual = PLATOON_S * (self.usual_runs + 1.0) / (self.red_s + red_now_s + 60.0);
        let mut column: Vec<&(EventTime, Lane)> = self.runs.iter().collect();
        let gap = |pair: &[&(EventTime, Lane)]| pair[1].0.seconds_since(pair[0].0) > HEADWAY_S;
        column.drain(..column.windows(2).rposition(gap).map_or(0, |at| at + 1));
        let lanes: BTreeSet<&Lane> = column.iter().map(|(_, lane)| lane).collect();
        let many = column.len() >= PLATOON && column.len() as f64 > usual + 5.0 * usual.sqrt();
        many && lanes.len() >= 2
    }

    fn notice(&self, time: EventTime, group: u16, verb: FaultVerb) -> Option<Notice> {
        let open = self.fault.as_ref()?;
        Some(Notice {
            time,
            group,
            verb,
            since: open.since,
            kinds: open.kinds.clone(),
            state: self.state,
            witness: (self.witness != SignalState::Unknown).then_some(self.witness),
            lasted_s: self.since.map_or(0.0, |since| time.seconds_since(since)),
            longest_s: step(self.state).and_then(|s| self.plan.longest_s(s)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SignalState::{Amber, Dark, Green, Red, Unknown};

    fn at(s: f64) -> EventTime {
        EventTime(0).plus_seconds(s)
    }

    /// Cycles of 78 s of two groups that are never green together.
    fn cycles(n: i32) -> (FaultMonitor, Vec<Notice>) {
        let (mut monitor, mut out) = (FaultMonitor::new(vec![false; 2]), Vec::new());
        for k in 0..n {
            for (s, group, state) in
                [(0, 0, Red), (2, 1, Green), (12, 1, Amber), (15, 1, Red), (56, 0, Green), (75, 0, Amber)]
            {
                monitor.change(at(f64::from(78 * k + s)), group, state, &mut out);
            }
        }
        (monitor, out)
    }

    fn told(out: &[Notice]) -> Vec<(FaultVerb, u16, FaultKind, f64, f64)> {
        let kind = |n: &Notice| *n.kinds.last().expect("a fault has a kind");
        out.iter()
            .map(|n| {
                let seconds = |t: EventTime| (t.seconds_since(at(0.0)) * 1e3).round() / 1e3;
                (n.verb, n.group, kind(n), seconds(n.time), seconds(n.since))
            })
            .collect()
    }

    #[test]
    fn a_signal_that_works_is_believed() {
        assert_eq!(cycles(30).1, []);
    }

    #[test]
    fn what_does_not_change_is_stuck_since_it_last_did() {
        let (mut monitor, mut out) = cycles(4);
        monitor.change(at(312.0), 0, Red, &mut out);
        monitor.change(at(314.0), 1, Green, &mut out);
        monitor.change(at(324.0), 1, Amber, &mut out);
        monitor.change(at(327.0), 1, Red, &mut out);
        monitor.tick(at(427.0), &mut out);
        assert_eq!(out, []);
        monitor.tick(at(440.0), &mut out);
        assert_eq!(told(&out), [(FaultVerb::Opened, 0, FaultKind::Stuck, 427.0, 312.0)]);
        monitor.tick(at(900.0), &mut out);
        assert_eq!(out.iter().filter(|n| n.group == 0).count(), 1, "told once");
    }

    #[test]
    fn dark_and_silent_are_told_at_once_and_flashing_is_none() {
        for (state, kind) in [(Dark, FaultKind::Dark), (Unknown, FaultKind::Missing)] {
            let (mut monitor, mut out) = cycles(1);
            monitor.change(at(78.0), 0, Red, &mut out);
            monitor.change(at(100.0), 0, state, &mut out);
            assert_eq!(told(&out), [(FaultVerb::Opened, 0, kind, 100.0, 78.0)]);
        }
        let (mut monitor, mut out) = cycles(4);
        monitor.change(at(312.0), 0, Red, &mut out);
        monitor.change(at(330.0), 0, SignalState::FlashingAmber, &mut out);
        assert_eq!(out, []);
    }

    #[test]
    fn lamps_that_nobody_sees_are_no_fault() {
        let (mut monitor, mut out) = (FaultMonitor::new(vec![true]), Vec::new());
        for (s, state) in [(0, Red), (30, Unknown), (33, Red), (50, Green)] {
            monitor.change(at(f64::from(s)), 0, state, &mut out);
        }
        assert_eq!(out, []);
    }

    #[test]
    fn a_witness_may_be_late_but_not_of_another_opinion() {
        let (mut monitor, mut out) = cycles(2);
        let mut tell = |lines: &[(f64, bool, SignalState)]| {
            out.clear();
            for &(s, seen, state) in lines {
                if seen {
                    monitor.witness(at(s), 0, state, &mut out);
                } else {
                    monitor.change(at(s), 0, state, &mut out);
                }
            }
            told(&out)
        };
        let cycle = [(156.0, false, Red), (156.3, true, Red), (170.0, true, Unknown), (171.0, true, Red)];
        assert_eq!(tell(&cycle), []);
        assert_eq!(tell(&[(212.0, false, Green), (212.4, true, Green)]), []);
        // The lamps still show green.
        assert_eq!(
            tell(&[(231.0, false, Amber), (234.0, false, Red)]),
            [(FaultVerb::Opened, 0, FaultKind::Disagreement, 233.0, 231.0)]
        );
        // Half a cycle in agreement does not end it, a whole one does.
        assert_eq!(tell(&[(290.0, false, Green), (309.0, false, Amber), (312.0, false, Red)]), []);
        assert_eq!(tell(&[(368.0, false, Green), (387.0, false, Amber), (387.2, true, Amber)]), []);
        let closed = tell(&[
            (390.0, false, Red),
            (390.2, true, Red),
            (446.0, false, Green),
            (446.2, true, Green),
            (465.0, false, Amber),
        ]);
        assert_eq!(closed.iter().map(|n| n.0).collect::<Vec<_>>(), [FaultVerb::Closed]);
    }

    #[test]
    fn green_together_is_a_conflict_of_both() {
        let (mut monitor, mut out) = cycles(5);
        monitor.change(at(390.0), 0, Red, &mut out);
        monitor.change(at(392.0), 1, Green, &mut out);
        monitor.change(at(395.0), 0, Green, &mut out);
        monitor.tick(at(397.0), &mut out);
        let conflicts = out.iter().filter(|n| n.kinds.contains(&FaultKind::Conflict));
        let told: Vec<_> = conflicts.map(|n| (n.group, n.since.min(at(392.0)) == n.since)).collect();
        assert_eq!(told, [(0, true), (1, true)]);
    }

    #[test]
    fn a_state_skipped_or_cut_short_is_an_outlier_and_a_whole_cycle_ends_it() {
        let (mut monitor, mut out) = cycles(4);
        monitor.change(at(312.0), 0, Red, &mut out);
        monitor.change(at(316.0), 0, Green, &mut out);
        assert_eq!(told(&out), [(FaultVerb::Opened, 0, FaultKind::CycleOutlier, 316.0, 312.0)]);
        for (s, state) in [(335.0, Amber), (338.0, Red), (394.0, Green), (413.0, Amber)] {
            monitor.change(at(s), 0, state, &mut out);
        }
        assert_eq!(out.last().map(|n| (n.verb, n.time)), Some((FaultVerb::Closed, at(413.0))));
        let (mut monitor, mut out) = cycles(4);
        monitor.change(at(312.0), 0, Green, &mut out);
        assert_eq!(out.len(), 1, "amber is followed by red");
    }

    #[test]
    fn a_column_on_two_lanes_is_no_offence_and_single_riders_are() {
        let (mut monitor, mut out) = cycles(4);
        monitor.change(at(312.0), 0, Red, &mut out);
        for n in 0..8 {
            let time = at(320.0 + 6.0 * f64::from(n));
            monitor.red_run(time, (0, time, at(312.0)), (0, Some(n as u16 % 2)), &mut out);
        }
        assert_eq!(out, [], "one every six seconds");
        for n in 0..8 {
            let time = at(370.0 + 1.5 * f64::from(n));
            monitor.red_run(time, (0, time, at(312.0)), (0, Some(n as u16 % 2)), &mut out);
        }
        assert_eq!(told(&out).last().map(|n| (n.2, n.4)), Some((FaultKind::Platoon, 312.0)));
    }

    #[test]
    fn another_plan_is_learnt_and_believed() {
        let (mut monitor, mut out) = cycles(4);
        let mut t = 312.0;
        for k in 0..6 {
            for (state, lasts) in [(Red, 20.0), (Green, 8.0), (Amber, 3.0)] {
                monitor.change(at(t), 0, state, &mut out);
                t += lasts;
            }
            if out.last().is_some_and(|n| n.verb == FaultVerb::Closed) {
                assert!(k >= 3);
                return;
            }
        }
        panic!("{out:?}");
    }
}

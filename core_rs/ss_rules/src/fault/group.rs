//! What is known of one signal group, and what it does that its plan does not know.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, SignalState};

use super::{FaultKind, FaultVerb, Lane, Notice};
use crate::plan::{Plan, step};

/// A column of vehicles: at least so many …
const PLATOON: usize = 6;
/// … within this time …
const PLATOON_S: f64 = 20.0;
/// … with no longer gap than this, and five times the spread above the usual.
const HEADWAY_S: f64 = 5.0;
/// Two cameras that look at one vehicle see it cross within this time.
const SAME_S: f64 = 1.0;
/// Controller and lamps may differ for so long: by their clocks, and by how lamps fade.
const DIFFER_S: f64 = 2.0;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct GroupWatch {
    pub state: SignalState,
    /// It is read from lamps.
    pub read: bool,
    /// What the witness says.
    pub witness: SignalState,
    /// Since when the two differ.
    pub differ: Option<EventTime>,
    /// When `state` began; absent before the first line.
    pub since: Option<EventTime>,
    /// The beginning of `state` was not seen.
    pub partial: bool,
    pub last_good: EventTime,
    /// Transitions in agreement since the last that was not.
    pub good: u32,
    /// Transitions since more ran a red of the junction than usually do.
    pub calm: u32,
    pub plan: Plan,
    pub fault: Option<Open>,
    /// Vehicles that lately ran the red: when, and where.
    pub runs: VecDeque<(EventTime, Lane)>,
    /// Runs before those, and the seconds of red in which they happened.
    pub usual_runs: f64,
    pub red_s: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Open {
    pub since: EventTime,
    pub kinds: BTreeSet<FaultKind>,
    /// What it does now, in case it is a new plan.
    pub fresh: Plan,
    /// The phase that is known to be stuck.
    pub stuck: Option<EventTime>,
}

impl GroupWatch {
    pub fn lets_pass(&self) -> bool {
        matches!(self.state, SignalState::Green | SignalState::Amber)
    }

    pub fn has_platoon(&self) -> bool {
        self.fault.as_ref().is_some_and(|open| open.kinds.contains(&FaultKind::Platoon))
    }

    /// From `time` on source and witness say this.
    pub fn compare(&mut self, time: EventTime, source: SignalState, witness: SignalState) {
        let known = source != SignalState::Unknown && witness != SignalState::Unknown;
        if self.differ.is_some_and(|since| time >= since.plus_seconds(DIFFER_S)) {
            self.good = 0;
        }
        self.differ = if known && source != witness { self.differ.or(Some(time)) } else { None };
    }

    /// When source and witness have differed for too long.
    pub fn differ_at(&self) -> Option<EventTime> {
        let told = |open: &Open| open.kinds.contains(&FaultKind::Disagreement);
        let untold = !self.fault.as_ref().is_some_and(told);
        self.differ.filter(|_| untold).map(|since| since.plus_seconds(DIFFER_S))
    }

    /// When the state that is shown now is known to be stuck.
    pub fn stuck_at(&self) -> Option<EventTime> {
        let since = self.since?;
        if self.fault.as_ref().is_some_and(|open| open.stuck == Some(since)) {
            return None;
        }
        Some(since.plus_seconds(self.plan.stuck_after_s(step(self.state)?)?))
    }

    /// The next state; answers what is wrong with that.
    pub fn change(&mut self, since: EventTime, time: EventTime, state: SignalState) -> Option<FaultKind> {
        let lasted_s = time.seconds_since(since);
        self.calm = self.calm.saturating_add(1);
        let partial = std::mem::replace(&mut self.partial, step(self.state).is_none());
        let before = std::mem::replace(&mut self.state, state);
        self.since = Some(time);
        if before == SignalState::Red && !self.has_platoon() {
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

    /// Whether another camera saw a vehicle run the red at that moment: it may have been the same.
    pub fn has_run(&self, time: EventTime, camera: u16) -> bool {
        self.runs.iter().any(|(t, lane)| lane.0 != camera && t.seconds_since(time).abs() <= SAME_S)
    }

    /// One more vehicle ran the red; answers whether they are a column. What
    /// is `usual` is what they do while no column has been found.
    pub fn run(&mut self, time: EventTime, lane: Lane, now: EventTime, usual: bool) -> bool {
        let at = self.runs.partition_point(|(t, _)| *t <= time);
        self.runs.insert(at, (time, lane));
        let newest = self.runs.back().map_or(time, |(t, _)| *t);
        while self.runs.front().is_some_and(|(t, _)| newest.seconds_since(*t) > PLATOON_S) {
            self.runs.pop_front();
            self.usual_runs += f64::from(u8::from(usual));
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

    pub fn notice(&self, time: EventTime, group: u16, verb: FaultVerb) -> Option<Notice> {
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

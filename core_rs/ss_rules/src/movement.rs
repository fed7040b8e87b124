//! A movement through the junction: over a stop line, out over an exit line.
//!
//! Which movement a vehicle made is told by the exit line it crossed; which
//! lane it came from, by the stop line. A path that turns back on itself is a
//! U-turn and no turn to the left, so a turn is told only when the vehicle
//! has gone on its way.

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, Point, VehicleClass};

use crate::config::{LineKind, Movement};
use crate::context::{Context, Seen};
use crate::crossing::Crossing;
use crate::hours::Window;
use crate::outcome::{Candidate, Explanation, Reason, RuleKind};
use crate::track::TrackState;
use crate::verdict::doubt_reason;

/// Gone this far from the exit line, or …
pub const GONE_M: f64 = 15.0;
/// … this long past it, a vehicle has gone on its way.
pub const GONE_S: f64 = 5.0;
/// From here on the way out points back.
const BACK_COS: f64 = -0.866;

/// Which movements a rule forbids.
#[derive(Clone, Debug)]
pub enum Forbids {
    /// Those that the lane's arrow does not show, from these lanes.
    ByArrow(Vec<bool>),
    /// Crossing this exit line, for these classes (empty: all).
    ByExit(u16, Vec<VehicleClass>),
}

/// A rule of the family.
#[derive(Clone, Debug)]
pub struct MovementRule {
    /// What it is called.
    pub kind: RuleKind,
    /// What it forbids.
    pub forbids: Forbids,
    /// When it holds.
    pub window: Window,
}

/// One track under the rule.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MovementState {
    done: bool,
    entry: Option<Box<Entry>>,
    /// Found, and waiting for the vehicle to go on its way.
    waiting: Option<Box<Waiting>>,
}

/// The stop line it came over.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    crossing: Crossing,
    line: u16,
    /// Lanes it may have come from; the first is the one by its foot point.
    lanes: Vec<u16>,
    /// The way in.
    way: Point,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Waiting {
    found: Candidate,
    at: Point,
    since: EventTime,
    /// The movement, where its foot passed beside the end of the exit line: it may yet go another way.
    unsure: Option<Movement>,
}

impl MovementRule {
    /// Take in an observation of a track.
    pub fn observe(&self, cx: &Context<'_>, seen: &Seen<'_>, state: &mut MovementState) -> Option<Candidate> {
        if state.done {
            return None;
        }
        for (line, crossing) in seen.crossed {
            self.cross(cx, seen, *line, crossing, state);
        }
        let waiting = state.waiting.as_ref()?;
        if self.has_turned_back(cx, seen, state) {
            *state = MovementState { done: true, ..MovementState::default() };
            return None;
        }
        let gone_m = (seen.place.pos - waiting.at).length() * seen.place.unit_m;
        if gone_m < GONE_M && seen.now < waiting.since.plus_seconds(GONE_S) {
            return None;
        }
        let unsure = waiting.unsure;
        let ways = state.entry.as_ref().map(|e| e.way).zip(seen.track.heading(2.0));
        let went_another =
            unsure.zip(ways).is_some_and(|(m, ways)| !cx.layout.shows(m, ways, seen.place.foot));
        let found = state.waiting.take()?.found;
        if went_another {
            return None;
        }
        state.done = true;
        Some(found)
    }

    /// The track has ended: what was found stands, where it had turned that way.
    pub fn end(cx: &Context<'_>, track: &TrackState, state: &mut MovementState) -> Option<Candidate> {
        let waiting = state.waiting.take()?;
        state.done = true;
        let ways = state.entry.as_ref().map(|e| e.way).zip(track.heading(2.0));
        let has_turned = |m| ways.is_some_and(|ways| cx.layout.has_turned(m, ways, track.place().foot));
        let mut found = waiting.found;
        found.doubts.extend(waiting.unsure.filter(|&m| !has_turned(m)).map(|_| Reason::MovementUnknown));
        Some(found)
    }

    fn cross(
        &self,
        cx: &Context<'_>,
        seen: &Seen<'_>,
        line: u16,
        crossing: &Crossing,
        state: &mut MovementState,
    ) {
        let road = &cx.layout.lines[usize::from(line)];
        let ways = state.entry.as_ref().map(|e| e.way).zip(seen.track.heading(2.0));
        let shows = |movement| ways.is_none_or(|ways| cx.layout.shows(movement, ways, seen.place.foot));
        let is_between = crossing.beyond == 0.0;
        let may_leave = state.waiting.as_ref().is_none_or(|w| w.unsure.is_some() && is_between);
        match (road.kind, road.movement) {
            (LineKind::Stop, _) if state.waiting.is_none() => {
                let lanes =
                    cx.layout.lanes_of_crossing(line, crossing, seen.track.lane_remembered(crossing.from));
                let lane = lanes.first().map(|&l| &cx.layout.lanes[usize::from(l)]);
                if road.is_forward(crossing.rightward, lane) {
                    let way = lane.and_then(|l| l.direction).unwrap_or(road.way_over(crossing.rightward));
                    state.entry = Some(Box::new(Entry { crossing: *crossing, line, lanes, way }));
                }
            }
            (LineKind::Exit, Some(movement)) if !shows(movement) => {}
            (LineKind::Exit, Some(Movement::UTurn)) if matches!(self.forbids, Forbids::ByArrow(_)) => {
                // A U-turn is not also a wrong arrow.
                *state = MovementState { done: state.waiting.is_some(), ..MovementState::default() };
            }
            (LineKind::Exit, movement) if may_leave => {
                let found = match &self.forbids {
                    Forbids::ByArrow(lanes) => {
                        self.by_arrow(cx, seen, line, crossing, movement, lanes, state)
                    }
                    Forbids::ByExit(exit, classes) if *exit == line => {
                        self.by_exit(cx, seen, line, crossing, classes, state)
                    }
                    Forbids::ByExit(..) => None,
                };
                let (at, since, unsure) = (seen.place.pos, seen.now, movement.filter(|_| !is_between));
                state.waiting = found.map(|found| Box::new(Waiting { found, at, since, unsure }));
            }
            _ => {}
        }
    }

    #[allow(clippy::too_many_arguments)] // the facts of one crossing
    fn by_arrow(
        &self,
        cx: &Context<'_>,
        seen: &Seen<'_>,
        line: u16,
        crossing: &Crossing,
        movement: Option<Movement>,
        watched: &[bool],
        state: &MovementState,
    ) -> Option<Candidate> {
        let (entry, movement) = (state.entry.as_ref()?, movement?);
        let allows = |l: &u16| {
            let movements = &cx.layout.lanes[usize::from(*l)].movements;
            movements.is_empty() || movements.contains(&movement)
        };
        let lane = entry.lanes.first()?;
        if !watched[usize::from(*lane)] || allows(lane) {
            return None;
        }
        let mut found = self.candidate(seen, line, crossing, entry);
        if entry.lanes.iter().any(allows) {
            found.doubts.push(Reason::LaneAmbiguous);
        }
        Some(found)
    }

    fn by_exit(
        &self,
        cx: &Context<'_>,
        seen: &Seen<'_>,
        line: u16,
        crossing: &Crossing,
        classes: &[VehicleClass],
        state: &MovementState,
    ) -> Option<Candidate> {
        let concerned = classes.is_empty() || classes.contains(&seen.track.class);
        let clock = cx.layout.clock_s;
        let (from, to) = (crossing.from.plus_seconds(-clock), crossing.to.plus_seconds(clock));
        let in_hours = self.window.surely_holds(cx.calendar, from, to);
        if !concerned || in_hours == Some(false) {
            return None;
        }
        let is_guess = !classes.is_empty() && !seen.track.class_is_sure();
        let mut found = match &state.entry {
            Some(entry) => Some(self.candidate(seen, line, crossing, entry)),
            // Where the camera sees no stop line, the exit alone tells.
            None if cx.layout.lines.iter().all(|l| l.kind != LineKind::Stop) => {
                let road = &cx.layout.lines[usize::from(line)];
                let way = road.way_over(crossing.rightward);
                let entry = Entry { crossing: *crossing, line, lanes: Vec::new(), way };
                road.is_forward(crossing.rightward, None)
                    .then(|| self.candidate(seen, line, crossing, &entry))
            }
            None => None,
        };
        if let Some(found) = &mut found {
            found.doubts.extend(is_guess.then_some(Reason::ClassDoubt));
            found.doubts.extend(in_hours.is_none().then_some(Reason::HoursBoundary));
        }
        found
    }

    fn candidate(&self, seen: &Seen<'_>, exit: u16, crossing: &Crossing, entry: &Entry) -> Candidate {
        let track: &TrackState = seen.track;
        let explanation = Explanation::default()
            .interval("stop_line", entry.crossing.from, entry.crossing.to)
            .interval("exit_line", crossing.from, crossing.to)
            .fact("hits", f64::from(track.hits));
        Candidate {
            until: Some(crossing.time),
            lane: entry.lanes.first().copied(),
            line: Some(exit),
            doubts: doubt_reason(track.doubt_since(entry.crossing.from)).into_iter().collect(),
            explanation,
            ..Candidate::new(self.kind, entry.crossing.time, seen.id, track.class)
        }
    }

    fn has_turned_back(&self, cx: &Context<'_>, seen: &Seen<'_>, state: &MovementState) -> bool {
        let is_turn_back = matches!(&self.forbids, Forbids::ByExit(exit, _)
            if cx.layout.lines[usize::from(*exit)].movement == Some(Movement::UTurn));
        let ways = state.entry.as_ref().map(|e| e.way).zip(seen.track.heading(2.0));
        !is_turn_back && ways.is_some_and(|(way_in, way_out)| way_in.dot(way_out) < BACK_COS)
    }
}

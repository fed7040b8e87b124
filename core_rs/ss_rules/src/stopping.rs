//! Standing where one must not: illegal stop, and blocking the box.
//!
//! Waiting for a light or in its queue is no illegal stop. Of those who stand
//! in the box only the one who entered without room to leave blocks it: what
//! stood in the way when it came to rest already stood there when it entered.
//!
//! Source: NĐ 168/2024 Điều 6.2.đ, 6.3.đ, 6.3.e, 6.5.k; QCVN 41:2024 vạch 4.4, 6.2.

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, Point, SignalState};

use crate::config::LineKind;
use crate::context::{Context, Seen};
use crate::crossing::Waypoint;
use crate::outcome::{Candidate, Explanation, Reason, RuleKind, SignalFact};
use crate::outline::drove_up;
use crate::track::TrackState;
use crate::verdict::doubt_reason;
use crate::way::Way;

/// Not having moved for this long begins a stop.
const STANDS_S: f64 = 1.0;
/// A box that wanders no further than this, or twice its tremble, still stands: others pass it.
const STAYS_M: f64 = 1.0;
/// Away for no longer than this was a slip of the tracker.
const SLIP_S: f64 = 2.0;
/// Between two vehicles of a queue there is no more than this.
const QUEUE_GAP_M: f64 = 8.0;
/// The first of a queue is not further from its line than this.
const HEAD_M: f64 = 12.0;
/// A queue needs this long to start after green.
pub(crate) const START_UP_S: f64 = 4.0;
/// Free to go for this long and still standing is standing by choice.
const BY_CHOICE_S: f64 = 5.0;

/// A rule of the family.
#[derive(Clone, Debug)]
pub struct StopRule {
    /// Illegal stop or box blocking.
    pub kind: RuleKind,
    /// Zone in which it holds.
    pub zone: u16,
    /// Shortest stop.
    pub min_dwell_s: f64,
}

/// One track under the rule.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StopState {
    /// Entered the zone.
    entered: Option<EventTime>,
    halt: Option<Box<Halt>>,
    done: bool,
}

/// A stop.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Halt {
    since: EventTime,
    anchor: Point,
    unit_m: f64,
    lane: Option<u16>,
    last: EventTime,
    /// It was seen to drive up, if it is an outline.
    came: bool,
    /// Nothing has kept it from going since.
    free_since: Option<EventTime>,
    /// From when on it stands by its own choice.
    by_choice: Option<EventTime>,
    /// The light that let it go, where one rules it there: who does not believe the light believes no choice.
    let_go_by: Option<SignalFact>,
    /// First observation since the last doubt whose track it is.
    sure_since: Option<EventTime>,
    /// Why it stands in the box.
    blocked: Blocked,
    proof: Option<Proof>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Blocked {
    /// Nothing stood ahead.
    Never,
    /// What stood ahead stopped after it had entered.
    Later,
    /// What stood ahead stood there when it entered.
    OnEntry,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Proof {
    time: EventTime,
    doubts: Vec<Reason>,
}

impl StopRule {
    /// Take in an observation of a track.
    pub fn observe(&self, cx: &Context<'_>, seen: &Seen<'_>, state: &mut StopState) -> Option<Candidate> {
        if state.done {
            return None;
        }
        let is_in = seen.track.is_in_zone(self.zone);
        if is_in {
            state.entered.get_or_insert(seen.now);
        }
        let Some(halt) = &mut state.halt else {
            let since = seen.track.standstill.since;
            if is_in && seen.now >= since.plus_seconds(STANDS_S) {
                state.halt = Some(Box::new(Halt::new(since, seen)));
            } else if !is_in {
                state.entered = None;
            }
            return None;
        };
        let wanders_m = (seen.place.pos - halt.anchor).length() * seen.place.unit_m;
        let stays = is_in && wanders_m <= STAYS_M.max(2.0 * seen.place.tremble_m);
        if !stays {
            if seen.now > halt.last.plus_seconds(SLIP_S) {
                let found = self.leave(seen.id, seen.track, state);
                state.entered = state.entered.filter(|_| is_in);
                return found;
            }
            return None;
        }
        halt.last = seen.now;
        let counts = match self.kind {
            RuleKind::BoxBlocking => watch_box(cx, seen, state.entered?, halt),
            _ => watch_queue(cx, seen, halt),
        };
        if seen.track.doubt_since(seen.now).is_some() {
            halt.sure_since = None;
        } else {
            halt.sure_since.get_or_insert(seen.now);
        }
        let long = |from: EventTime| seen.now >= from.plus_seconds(self.min_dwell_s);
        if let Some(from) = counts.filter(|&from| long(from)) {
            let doubt = seen.track.doubt_since(halt.since);
            // Long enough since the last doubt, too: that is a stop by itself, unless an outline may be no vehicle.
            let again = halt.sure_since.filter(|_| !seen.track.class_by_size);
            let sure = doubt.is_none() || again.is_some_and(|since| long(from.max(since)));
            if sure && halt.proof.as_ref().is_none_or(|proof| !proof.doubts.is_empty()) {
                halt.proof = Some(Proof { time: seen.now, doubts: Vec::new() });
            } else if halt.proof.is_none() {
                halt.proof =
                    Some(Proof { time: seen.now, doubts: doubt_reason(doubt).into_iter().collect() });
            }
        }
        None
    }

    /// The track has ended: a proven stop is reported.
    pub fn end(&self, id: u32, track: &TrackState, state: &mut StopState) -> Option<Candidate> {
        self.leave(id, track, state)
    }

    fn leave(&self, id: u32, track: &TrackState, state: &mut StopState) -> Option<Candidate> {
        let mut halt = state.halt.take()?;
        let proof = halt.proof.take()?;
        state.done = true;
        let mut doubts = proof.doubts;
        let is_box = self.kind == RuleKind::BoxBlocking;
        if is_box && halt.blocked == Blocked::Never {
            doubts.push(Reason::MayBeGivingWay);
        } else if is_box && halt.since < track.first.plus_seconds(STANDS_S) {
            // It stood there when it was first seen: what stands ahead may have come to stand there after it had entered.
            doubts.push(Reason::AppearedAtLine);
        }
        if !halt.came && !doubts.contains(&Reason::IdentityDoubt) {
            doubts.push(Reason::IdentityDoubt);
        }
        let start = if is_box { state.entered } else { halt.by_choice }.unwrap_or(halt.since);
        let explanation = Explanation::default()
            .interval("stop", halt.since, halt.last)
            .fact("stood_s", halt.last.seconds_since(halt.since))
            .fact("proved_after_s", proof.time.seconds_since(halt.since))
            .fact("hits", f64::from(track.hits))
            .threshold("min_dwell_s", self.min_dwell_s);
        Some(Candidate {
            until: Some(halt.last),
            lane: halt.lane,
            zone: Some(self.zone),
            signal: halt.let_go_by,
            way: Some(halt.way()),
            doubts,
            explanation,
            ..Candidate::new(self.kind, start, id, track.class)
        })
    }
}

impl Halt {
    /// No way at all: where it stood.
    fn way(&self) -> Way {
        let at = |time| Waypoint { time, pos: self.anchor };
        Way { from: at(self.since), to: at(self.last), unit_m: self.unit_m, aloft: Point { x: 0.0, y: 0.0 } }
    }

    fn new(since: EventTime, seen: &Seen<'_>) -> Self {
        Self {
            since,
            anchor: seen.place.pos,
            unit_m: seen.place.unit_m,
            lane: seen.track.lane,
            last: seen.now,
            came: !seen.track.class_by_size || drove_up(seen.track, seen.place.pos, seen.place.unit_m),
            free_since: None,
            by_choice: None,
            let_go_by: None,
            sure_since: None,
            blocked: Blocked::Never,
            proof: None,
        }
    }
}

/// From when on a stop in the box counts, if it does.
fn watch_box(cx: &Context<'_>, seen: &Seen<'_>, entered: EventTime, halt: &mut Halt) -> Option<EventTime> {
    if let Some(ahead_since) = cx.standing_ahead(seen, QUEUE_GAP_M) {
        // The first obstacle tells; a later one excuses nobody.
        if halt.blocked == Blocked::Never {
            halt.blocked = if ahead_since <= entered { Blocked::OnEntry } else { Blocked::Later };
        }
    }
    (halt.blocked != Blocked::Later).then_some(halt.since)
}

/// From when on the vehicle stands by its own choice: it has been free to go
/// for a while. Who stood before a queue formed is no part of it.
fn watch_queue(cx: &Context<'_>, seen: &Seen<'_>, halt: &mut Halt) -> Option<EventTime> {
    if halt.by_choice.is_none() {
        if cx.standing_ahead(seen, QUEUE_GAP_M).is_some() {
            halt.free_since = None;
            return None;
        }
        let lights = lights_ahead(cx, seen);
        if lights.iter().any(|light| !lets_go(light, seen.now)) {
            halt.free_since = None;
        } else {
            halt.let_go_by = lights.first().copied();
            // Free from the moment it came to rest, unless it was held before.
            let first = seen.now <= halt.since.plus_seconds(STANDS_S + 1.0);
            let free = *halt.free_since.get_or_insert(if first { halt.since } else { seen.now });
            if seen.now >= free.plus_seconds(BY_CHOICE_S) {
                halt.by_choice = Some(free);
            }
        }
    }
    halt.by_choice
}

/// The lights at whose stop line the vehicle is the first of its lane, or past which it waits: those of every movement,
/// for nobody knows where it wants to go.
fn lights_ahead(cx: &Context<'_>, seen: &Seen<'_>) -> Vec<SignalFact> {
    let Some(lane) = seen.track.lane.or(seen.track.last_lane.map(|m| m.lane)) else { return Vec::new() };
    let to_line_m = |road: &crate::place::RoadLine| {
        let leads = road.kind == LineKind::Stop && road.lanes.iter().any(|s| s.lane == lane);
        leads.then(|| road.line.offset(seen.place.pos).abs() * seen.place.unit_m)
    };
    let at_head = cx.layout.lines.iter().filter_map(to_line_m).any(|m| m <= HEAD_M);
    let own = &cx.layout.lanes[usize::from(lane)];
    let groups = own.group.into_iter().chain(own.arrows.iter().map(|(_, group)| *group)).filter(|_| at_head);
    groups.map(|group| SignalFact { group, phase: cx.signals[usize::from(group)].as_of(seen.now) }).collect()
}

/// Whether a light has let its queue go.
fn lets_go(light: &SignalFact, now: EventTime) -> bool {
    light.phase.state == SignalState::Green && now >= light.phase.since.plus_seconds(START_UP_S)
}

//! Being where one must not be for a while: one primitive, several rules.
//!
//! A place (lanes, a zone, on a line), whom it concerns, when, and how long
//! or how far proves it: wrong lane, banned class, pavement and solid line
//! differ in these data only.
//!
//! What the track did before its identity was in doubt may have been somebody
//! else's: the stay is then measured anew from there on, and only one that
//! never gets long enough without a doubt stays open.

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, Point, VehicleClass};

use crate::context::{Context, Seen};
use crate::crossing::Waypoint;
use crate::hours::Window;
use crate::outcome::{Candidate, Explanation, Reason, RuleKind};
use crate::outline::moves_with_another;
use crate::track::TrackState;
use crate::verdict::doubt_reason;
use crate::way::{Way, aloft};

/// Away for no longer than this is still there: a foot point trembles.
const BRIEFLY_AWAY_S: f64 = 0.5;
/// Standing for so long is a stop of somebody's own.
const STOPS_S: f64 = 2.0;
/// Less than this from frame to frame is no movement, and no vehicle under way has more such frames than this share.
const STILL_M: f64 = 0.02;
const MOST_STILL: f64 = 0.25;
/// A way is made of steps: none may be longer than this share of it.
const LARGEST_STEP: f64 = 0.25;
/// Share of a vehicle's width that must be in the place: the wheels, not the
/// mirrors.
const FIRM: f64 = 0.4;
/// Share of what a vehicle covers that lies between its wheels.
const WHEELS: f64 = 0.6;
/// A vehicle half of which covers more of the picture's height than this is too close below the camera: the ground under it
/// is no parallelogram there.
const CLOSE: f64 = 0.12;

/// Where a rule holds.
#[derive(Clone, Debug)]
pub enum Where {
    /// In any of these lanes.
    Lanes(Vec<u16>),
    /// In this zone.
    Zone(u16),
    /// With the wheels on both sides of this line.
    OverLine(u16),
}

/// A rule of the family.
#[derive(Clone, Debug)]
pub struct DwellRule {
    /// What it is called.
    pub kind: RuleKind,
    /// Where it holds.
    pub place: Where,
    /// By lane: classes that may be there; for other places one list.
    pub concerns: Concerns,
    /// When it holds.
    pub window: Window,
    /// Shortest stay.
    pub min_dwell_s: f64,
    /// Shortest way from end to end while there.
    pub min_path_m: f64,
    /// Crossing the line completely proves it, however short.
    pub crossing_proves: bool,
    /// Whether a permit lifts it.
    pub permits: bool,
}

/// Whom a rule concerns.
#[derive(Clone, Debug)]
pub enum Concerns {
    /// Classes that are not allowed in their lane.
    NotAllowedInLane,
    /// These classes.
    Classes(Vec<VehicleClass>),
    /// Every vehicle but those of these classes.
    AllBut(Vec<VehicleClass>),
}

/// One track under the rule.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DwellState {
    /// Found once: nothing more is held against the track.
    done: bool,
    stay: Option<Box<Stay>>,
    /// The part of the stay since its identity was last in doubt.
    sure: Option<Box<Stay>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stay {
    /// Index of the lane, where there is one.
    lane: Option<u16>,
    since: EventTime,
    /// Whether it came in the hours of the rule; `None` where a clock leaves that open.
    came_in_hours: Option<bool>,
    /// It has been there in them.
    in_hours: bool,
    last: EventTime,
    start: Point,
    /// Where it was last.
    here: Point,
    unit_m: f64,
    /// As in its [`Way`].
    aloft: Point,
    /// Furthest from the start.
    path_m: f64,
    gait: Gait,
    proof: Option<Proof>,
}

impl Stay {
    fn new(rule: &DwellRule, cx: &Context<'_>, lane: Option<u16>, seen: &Seen<'_>) -> Self {
        let clock = cx.layout.clock_s;
        let (from, to) = (seen.now.plus_seconds(-clock), seen.now.plus_seconds(clock));
        Self {
            lane,
            since: seen.now,
            came_in_hours: rule.window.surely_holds(cx.calendar, from, to),
            in_hours: false,
            last: seen.now,
            start: seen.place.pos,
            here: seen.place.pos,
            unit_m: seen.place.unit_m,
            aloft: Point { x: 0.0, y: 0.0 },
            path_m: 0.0,
            gait: Gait::default(),
            proof: None,
        }
    }

    /// One more observation: there, or away for a moment.
    fn go_on(&mut self, rule: &DwellRule, cx: &Context<'_>, seen: &Seen<'_>, is_there: bool, crossed: bool) {
        if is_there {
            self.last = seen.now;
            self.in_hours |= rule.window.holds(cx.calendar, seen.now);
            self.here = seen.place.pos;
            self.aloft = aloft(cx, seen);
            self.path_m = self.path_m.max((seen.place.pos - self.start).length() * seen.place.unit_m);
            self.gait.observe(cx, seen);
        }
        let long = self.last >= self.since.plus_seconds(rule.min_dwell_s) && self.path_m >= rule.min_path_m;
        if self.proof.is_none() && (long || crossed) {
            let doubts = doubt_reason(seen.track.doubt_since(self.since)).into_iter().collect();
            let is_whole = seen.track.is_whole();
            self.proof = Some(Proof { time: seen.now, class: seen.track.class, is_whole, doubts });
        }
    }

    /// Nothing proves it, or only what may have been two.
    fn is_open(&self) -> bool {
        self.proof.as_ref().is_none_or(|proof| !proof.doubts.is_empty())
    }

    fn way(&self) -> Way {
        let from = Waypoint { time: self.since, pos: self.start };
        Way { from, to: Waypoint { time: self.last, pos: self.here }, unit_m: self.unit_m, aloft: self.aloft }
    }
}

/// How an outline moves. Part of a large vehicle, left behind and caught up again, sticks and jumps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Gait {
    frames: u32,
    /// Those in which it did not move at all, though it was not standing.
    still: u32,
    /// Those in which it touched another outline that moved as it did.
    with_another: u32,
    largest_m: f64,
}

impl Gait {
    fn observe(&mut self, cx: &Context<'_>, seen: &Seen<'_>) {
        let step_m = seen.track.step.length() * seen.place.unit_m;
        self.largest_m = self.largest_m.max(step_m);
        if seen.now < seen.track.standstill.since.plus_seconds(STOPS_S) {
            self.frames += 1;
            self.still += u32::from(step_m < STILL_M);
            self.with_another += u32::from(seen.track.class_by_size && moves_with_another(cx, seen));
        }
    }

    /// It and another may be one vehicle.
    fn is_shared(&self) -> bool {
        2 * self.with_another > self.frames
    }

    fn is_steady(&self, path_m: f64) -> bool {
        f64::from(self.still) <= MOST_STILL * f64::from(self.frames)
            && self.largest_m <= LARGEST_STEP * path_m
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Proof {
    time: EventTime,
    class: VehicleClass,
    /// No part of a vehicle, and not two.
    is_whole: bool,
    doubts: Vec<Reason>,
}

impl DwellState {
    /// The same stay since the last doubt whose track it is.
    #[allow(clippy::option_option)] // as in `is_there`
    fn measure_anew(
        &mut self,
        rule: &DwellRule,
        cx: &Context<'_>,
        seen: &Seen<'_>,
        here: Option<Option<u16>>,
        crossed: bool,
    ) {
        let is_open = |sure: &Stay| sure.proof.is_none() && seen.track.doubt_since(sure.since).is_some();
        if self.sure.as_deref().is_some_and(is_open) {
            self.sure = None;
        }
        if self.sure.is_none() && seen.track.doubt_since(seen.now).is_none() {
            self.sure = here.map(|lane| Box::new(Stay::new(rule, cx, lane, seen)));
        }
        if let Some(sure) = &mut self.sure {
            sure.go_on(rule, cx, seen, here.is_some(), crossed);
        }
    }
}

impl DwellRule {
    /// Take in an observation of a track.
    pub fn observe(&self, cx: &Context<'_>, seen: &Seen<'_>, state: &mut DwellState) -> Option<Candidate> {
        if state.done {
            return None;
        }
        let sees_wheels = !seen.place.is_cut();
        let concerned = sees_wheels && self.concerns(cx, seen.track.lane, seen.track.class);
        let here = if concerned { self.is_there(cx, seen) } else { None };
        let crossed = sees_wheels && self.crossing_proves && self.has_crossed(seen);
        match (&mut state.stay, here) {
            (Some(stay), None) if seen.now > stay.last.plus_seconds(BRIEFLY_AWAY_S) && !crossed => {
                return self.leave(seen.id, seen.track, state);
            }
            (None, Some(lane)) => {
                state.stay = Some(Box::new(Stay::new(self, cx, lane, seen)));
            }
            _ => {}
        }
        let stay = state.stay.as_mut()?;
        stay.go_on(self, cx, seen, here.is_some(), crossed);
        // A new outline after a doubt may be no vehicle at all.
        if !seen.track.class_by_size {
            state.measure_anew(self, cx, seen, here, crossed);
        }
        None
    }

    /// The track has ended: a proven stay is reported.
    pub fn end(&self, id: u32, track: &TrackState, state: &mut DwellState) -> Option<Candidate> {
        self.leave(id, track, state)
    }

    /// In the place now; with the lane, where it is one.
    #[allow(clippy::option_option)] // outer: there; inner: in which lane
    fn is_there(&self, cx: &Context<'_>, seen: &Seen<'_>) -> Option<Option<u16>> {
        match &self.place {
            Where::Lanes(lanes) => {
                let lane = seen.track.lane.filter(|l| lanes.contains(l))?;
                let (area, foot) = (&cx.layout.lanes[usize::from(lane)].area, seen.place.foot);
                let half = FIRM * cx.footprint(seen).across.x.abs();
                let within = |x: f64| area.contains(Point { x, y: foot.y });
                (within(foot.x - half) && within(foot.x + half)).then_some(Some(lane))
            }
            Where::Zone(zone) => seen.track.is_in_zone(*zone).then_some(seen.track.lane),
            Where::OverLine(line) => {
                let road = &cx.layout.lines[usize::from(*line)];
                let print = cx.footprint(seen);
                if print.along.y.abs() > CLOSE {
                    return None;
                }
                let [a, b, c, d] = print.corners(WHEELS).map(|p| cx.layout.view.position(p));
                let over = road.line.is_between(a?, d?) || road.line.is_between(b?, c?);
                let beside = road.line.beyond(seen.place.pos) == 0.0; // a turning vehicle is seen from the side
                (over && beside).then_some(seen.track.lane)
            }
        }
    }

    /// Whether a way proves it, so that how an outline goes it tells whether it is a vehicle.
    pub fn by_way(&self) -> bool {
        self.min_path_m > 0.0
    }

    fn has_crossed(&self, seen: &Seen<'_>) -> bool {
        matches!(&self.place, Where::OverLine(line) if seen.crossed.iter().any(|(l, _)| l == line))
    }

    fn concerns(&self, cx: &Context<'_>, lane: Option<u16>, class: VehicleClass) -> bool {
        match &self.concerns {
            Concerns::NotAllowedInLane => {
                let allowed = lane.map(|l| &cx.layout.lanes[usize::from(l)].allowed);
                class != VehicleClass::Unknown
                    && allowed.is_some_and(|a| !a.is_empty() && !a.contains(&class))
            }
            Concerns::Classes(classes) => classes.contains(&class),
            Concerns::AllBut(classes) => !classes.contains(&class),
        }
    }

    fn leave(&self, id: u32, track: &TrackState, state: &mut DwellState) -> Option<Candidate> {
        let (stay, sure) = (state.stay.take()?, state.sure.take());
        let came_in_hours = stay.came_in_hours; // whoever it was since
        let mut stay = sure.filter(|sure| stay.is_open() && sure.proof.is_some()).unwrap_or(stay);
        let proof = stay.proof.take().filter(|_| came_in_hours != Some(false) || stay.in_hours)?;
        state.done = true;
        let mut doubts = proof.doubts;
        // An accusation that rests on the class, or on where the sides of a vehicle are, needs more than an
        // outline: two motorcycles in one are a car, and over the line between them. Nor does a model prove a
        // class that it hardly believes in: half a lorry behind riders is a car to it.
        let rests_on_guess = match (&self.place, &self.concerns) {
            (Where::OverLine(_), _) => track.class_by_size,
            (_, Concerns::AllBut(_)) => {
                let steady = !self.by_way() || stay.gait.is_steady(stay.path_m);
                track.class_by_size && (track.may_walk() || !proof.is_whole || !steady)
            }
            _ => !track.class_is_sure(),
        };
        if came_in_hours != Some(true) {
            doubts.push(Reason::HoursBoundary);
        }
        if proof.class != track.class || rests_on_guess {
            doubts.push(Reason::ClassDoubt);
        }
        if self.by_way() && stay.gait.is_shared() && !doubts.contains(&Reason::IdentityDoubt) {
            doubts.push(Reason::IdentityDoubt);
        }
        let mut explanation = Explanation::default()
            .interval("there", stay.since, stay.last)
            .fact("dwell_s", stay.last.seconds_since(stay.since))
            .fact("proved_after_s", proof.time.seconds_since(stay.since))
            .fact("path_m", stay.path_m)
            .fact("hits", f64::from(track.hits))
            .threshold("min_dwell_s", self.min_dwell_s);
        if self.min_path_m > 0.0 {
            explanation = explanation.threshold("min_path_m", self.min_path_m);
        }
        let (line, zone, way) = match self.place {
            Where::OverLine(line) => (Some(line), None, None),
            Where::Zone(zone) => (None, Some(zone), Some(stay.way())),
            Where::Lanes(_) => (None, None, Some(stay.way())),
        };
        Some(Candidate {
            until: Some(stay.last),
            lane: stay.lane,
            line,
            zone,
            way,
            doubts,
            permits: self.permits,
            explanation,
            ..Candidate::new(self.kind, stay.since, id, proof.class)
        })
    }
}

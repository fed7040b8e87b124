//! What the engine remembers of one track, whatever the rules.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, Point, VehicleClass};

use crate::crossing::{Crossing, LineTrack, Waypoint};
use crate::footprint::fits;
use crate::place::{Layout, MOST_TREMBLE_M, Place};
use crate::standstill::{STANDS_S, Standstill};
use crate::within::EVEN_CHANCE;

/// A track is believed from this many observations on …
pub const MIN_HITS: u32 = 3;
/// … and this age.
pub const MIN_AGE_S: f64 = 0.3;
/// Without an observation for longer than this a proof has a hole.
pub const MAX_GAP_S: f64 = 1.0;
/// A lane left longer ago than this says nothing about where a vehicle is.
const LANE_MEMORY_S: f64 = 1.0;
/// Way between waypoints of a trail …
const TRAIL_STEP_M: f64 = 0.5;
/// … and how many are kept.
pub const TRAIL: usize = 64;
/// Nobody on foot in a street keeps this up: a class told by size is then wrong.
const RUNNING_MPS: f64 = 4.0;
/// It is kept up for this long …
const RUN_S: f64 = 1.0;
/// … in many steps, none a larger share of the way: one jump of a box is no run.
const LONGEST_STEP: f64 = 0.4;
/// A heading is that of this way: shorter ones are tremble.
const HEADING_M: f64 = 2.0;
/// Cosine of the angle to a lane within which somebody goes along it: 30 degrees. Over a crosswalk one goes across.
const ALONG: f64 = 0.87;
/// Nobody walks faster.
const WALKING_MPS: f64 = 2.0;
/// How long an outline is looked at, to tell whether it is a whole vehicle.
const WHOLE_S: f64 = 0.5;
/// A velocity is that of this long.
const VELOCITY_S: f64 = 0.5;
/// Road tyres change the way of a vehicle by no more than this, in m/s²: 1 g, where 0.7 is usual.
pub const GRIP_MPS2: f64 = 9.81;
/// A box wanders by no more than so many times its tremble from frame to frame, …
const MOST_WANDER: f64 = 3.0;
/// … and by this much where it hardly trembles.
const WANDER_M: f64 = 2.0;

/// One observation of a track: a frame in which it was detected.
#[derive(Clone, Copy, Debug)]
pub struct Observation {
    /// When the frame was taken.
    pub time: EventTime,
    /// Where the vehicle touches the ground.
    pub place: Place,
    /// The tracker doubts whose track this is.
    pub doubtful: bool,
    /// It may be part of a larger vehicle.
    pub part: bool,
    /// Class by the votes so far.
    pub class: VehicleClass,
    /// The class was told by size only: two motorcycles in one blob are a car.
    pub class_by_size: bool,
    /// How sure the detector was of what it saw, 0–1.
    pub score: f32,
}

/// A lane and when the track was last in it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct LaneMemory {
    /// Index of the lane.
    pub lane: u16,
    /// Last observation in it.
    pub time: EventTime,
}

/// Memory of a track.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrackState {
    /// First observation.
    pub first: EventTime,
    /// Last observation.
    pub last: EventTime,
    /// The one before it.
    pub before: EventTime,
    /// Observations so far.
    pub hits: u32,
    /// Class by the tracker's votes so far; unknown for what is only as small as somebody on foot.
    pub class: VehicleClass,
    /// Taken for somebody on foot.
    pub on_foot: bool,
    /// The class was told by size only.
    pub class_by_size: bool,
    /// Since the last doubt about its identity, with which the tracker's votes begin anew: sum of the scores …
    scores: f64,
    /// … of so many observations.
    scored: u32,
    /// Has been faster than anybody on foot.
    outran: bool,
    /// Share of the last half second in which its outline was as large as its class; `None` before it has moved.
    whole: Option<f64>,
    /// Lane under the wheels now.
    pub lane: Option<u16>,
    /// Zones around it now, one bit each.
    zones: u32,
    /// Last observation in which it stood.
    stood: Option<EventTime>,
    /// Since when it has been in it without a break.
    pub lane_since: EventTime,
    /// Its way since the observation before.
    pub step: Point,
    /// Last lane it was in.
    pub last_lane: Option<LaneMemory>,
    /// Where it has been, oldest first.
    pub trail: VecDeque<Waypoint>,
    /// Where and since when it stands.
    pub standstill: Standstill,
    /// Where it is now.
    here: Place,
    /// At each line of the camera.
    pub lines: Vec<LineTrack>,
    /// Last frame with a doubt about its identity: the tracker's, a leap that no vehicle makes, a part of a larger one.
    last_doubt: Option<EventTime>,
    /// First observation after the last hole.
    last_gap_end: Option<EventTime>,
}

/// Why a stretch of a track proves nothing about one vehicle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Not seen for a while in between.
    Gap,
    /// May have become the track of another vehicle.
    Identity,
}

impl TrackState {
    /// Begin with the first observation.
    pub fn new(time: EventTime, place: &Place, class: VehicleClass, lines: usize) -> Self {
        Self {
            first: time,
            last: time,
            before: time,
            hits: 0,
            class,
            on_foot: class == VehicleClass::Pedestrian,
            class_by_size: false,
            scores: 0.0,
            scored: 0,
            outran: false,
            whole: None,
            lane: None,
            zones: 0,
            stood: None,
            lane_since: time,
            step: Point::default(),
            last_lane: None,
            trail: VecDeque::with_capacity(TRAIL),
            standstill: Standstill::new(time, place.pos),
            here: *place,
            lines: vec![LineTrack::default(); lines],
            last_doubt: None,
            last_gap_end: None,
        }
    }

    /// Take in an observation; `crossed` gets each line it crossed.
    pub fn observe(&mut self, layout: &Layout, seen: &Observation, mut crossed: impl FnMut(u16, Crossing)) {
        let Observation { time, ref place, doubtful, part, class, class_by_size, score } = *seen;
        if time > self.last.plus_seconds(MAX_GAP_S) {
            self.last_gap_end = Some(time);
        }
        if doubtful {
            self.last_doubt = Some(time);
            (self.scores, self.scored) = (0.0, 0);
        }
        if part || !class_by_size && self.leaps_to(time, place) {
            self.last_doubt = Some(time);
        }
        self.before = std::mem::replace(&mut self.last, time);
        self.hits = self.hits.saturating_add(1);
        self.class = class;
        self.class_by_size = class_by_size;
        self.scores += f64::from(score);
        self.scored = self.scored.saturating_add(1);
        let lane = layout.lane_at(place.foot, self.lane);
        if lane != self.lane {
            self.lane_since = time;
        }
        self.lane = lane;
        if let Some(lane) = self.lane {
            self.last_lane = Some(LaneMemory { lane, time });
        }
        self.zones = layout.zones_at(place.foot);
        if self.trail.back().is_none_or(|w| (place.pos - w.pos).length() * place.unit_m >= TRAIL_STEP_M) {
            if self.trail.len() == TRAIL {
                self.trail.pop_front();
            }
            self.trail.push_back(Waypoint { time, pos: place.pos });
        }
        self.standstill.observe(time, place);
        if time >= self.standstill.since.plus_seconds(STANDS_S) {
            self.stood = Some(time);
        }
        let before = Waypoint { time: self.before, pos: self.here.pos };
        self.step = place.pos - self.here.pos;
        self.here = *place;
        self.on_foot = class == VehicleClass::Pedestrian;
        if class_by_size && !self.outran {
            self.outran = self.outruns_walkers();
        }
        if self.on_foot && class_by_size {
            // Part of a vehicle can be as small as somebody on foot, but goes as fast as a vehicle.
            self.class = VehicleClass::Unknown;
            self.on_foot = !self.outran;
        }
        if class_by_size && let Some(way) = self.heading(HEADING_M) {
            let fits = f64::from(u8::from(fits(&layout.view, place, way, self.class)));
            let elapsed_s = self.last.seconds_since(self.before);
            let before = self.whole.unwrap_or(fits);
            self.whole = Some(before + (fits - before) * elapsed_s / (elapsed_s + WHOLE_S));
        }
        let now = Waypoint { time, pos: place.pos };
        for (index, (track, road)) in self.lines.iter_mut().zip(&layout.lines).enumerate() {
            if let Some(crossing) = track.observe(&road.line, before, now, place.unit_m)
                && (crossing.beyond == 0.0 || layout.passes_exit(road, &crossing, place))
            {
                crossed(index as u16, crossing);
            }
        }
    }

    /// Whether an accusation may rest on the class: a model recognised it, and gave it more than an even chance.
    pub fn class_is_sure(&self) -> bool {
        !self.class_by_size && self.scores > f64::from(EVEN_CHANCE) * f64::from(self.scored)
    }

    /// An outline as slow as somebody on foot: two of them side by side are as large as a motorcycle.
    pub fn may_walk(&self) -> bool {
        self.class_by_size && !self.outran
    }

    /// An outline as small as somebody on foot that goes along a lane, whose `direction` is a unit vector, and does not
    /// walk: a rider, more often than not, of whom the rest was not told from the street.
    pub fn may_ride(&self, direction: Point) -> bool {
        self.class_by_size
            && self.heading(HEADING_M).is_some_and(|way| way.dot(direction).abs() > ALONG)
            && self.velocity_mps().is_some_and(|mps| mps.length() > WALKING_MPS)
    }

    /// Whether the track has been seen enough to be believed.
    pub fn is_confirmed(&self) -> bool {
        self.hits >= MIN_HITS && self.last >= self.first.plus_seconds(MIN_AGE_S)
    }

    /// Why the stretch from `from` to the last observation proves nothing.
    pub fn doubt_since(&self, from: EventTime) -> Option<Doubt> {
        if self.last_gap_end.is_some_and(|t| t > from) {
            Some(Doubt::Gap)
        } else if self.last_doubt.is_some_and(|t| t >= from) {
            Some(Doubt::Identity)
        } else {
            None
        }
    }

    /// The last lane, unless it was left too long before `time`.
    pub fn lane_remembered(&self, time: EventTime) -> Option<u16> {
        self.last_lane.filter(|m| time.seconds_since(m.time) <= LANE_MEMORY_S).map(|m| m.lane)
    }

    /// Its box and where that stands.
    pub fn place(&self) -> Place {
        self.here
    }

    /// Metres a second over the last half second; `None` before it has come so far.
    pub fn velocity_mps(&self) -> Option<Point> {
        let since = self.trail.iter().rev().find(|w| w.time <= self.last.plus_seconds(-VELOCITY_S))?;
        Some((self.here.pos - since.pos).scale(self.here.unit_m / self.last.seconds_since(since.time)))
    }

    /// Whether its outline has lately been as large as its class: it is then neither part of a vehicle nor two.
    pub fn is_whole(&self) -> bool {
        !self.class_by_size || self.whole.is_none_or(|share| share >= 0.5)
    }

    /// Whether it lies in a zone now.
    pub fn is_in_zone(&self, zone: u16) -> bool {
        self.zones >> zone & 1 == 1
    }

    /// Whether it stands now.
    pub fn stands(&self) -> bool {
        self.stood == Some(self.last)
    }

    /// Whether it has stood at or after `time`.
    pub fn stood_since(&self, time: EventTime) -> bool {
        self.stood.is_some_and(|t| t >= time)
    }

    /// Unit vector of its last `metres`; `None` before it has come so far.
    pub fn heading(&self, metres: f64) -> Option<Point> {
        let way = |w: &Waypoint| self.here.pos - w.pos;
        let far = self.trail.iter().rev().map(way).find(|d| d.length() * self.here.unit_m >= metres)?;
        Some(far.scale(1.0 / far.length()))
    }

    /// Its class as one would say it now.
    pub fn class_seen(&self) -> VehicleClass {
        if self.on_foot { VehicleClass::Pedestrian } else { self.class }
    }

    /// Whether no vehicle that goes as this one went gets to `place` by then, even if its box wanders: the track has
    /// gone over to somebody else, or its box covers two. Not told where a box wanders by any number of metres, nor
    /// asked of outlines, which merge and split ([`outline`]).
    fn leaps_to(&self, time: EventTime, place: &Place) -> bool {
        let step = (place.pos - self.here.pos).scale(place.unit_m);
        let wander_m = WANDER_M.max(MOST_WANDER * f64::midpoint(self.here.tremble_m, place.tremble_m));
        if step.length() <= wander_m || self.here.tremble_m.max(place.tremble_m) >= MOST_TREMBLE_M {
            return false;
        }
        let elapsed_s = time.seconds_since(self.last);
        // The velocity is that of the middle of its base; tyres have had since then to change it.
        let reach_m = GRIP_MPS2 * elapsed_s * f64::midpoint(VELOCITY_S, elapsed_s);
        self.velocity_mps().is_some_and(|mps| (step - mps.scale(elapsed_s)).length() > wander_m + reach_m)
    }

    /// Whether the last second was faster than anybody on foot, step by step.
    fn outruns_walkers(&self) -> bool {
        let lately = self.trail.iter().rev().take_while(|w| w.time >= self.last.plus_seconds(-RUN_S));
        let (mut next, mut longest, mut first) = (self.here.pos, 0.0f64, None);
        for waypoint in lately {
            longest = longest.max((next - waypoint.pos).length());
            next = waypoint.pos;
            first = Some(waypoint);
        }
        first.is_some_and(|w| {
            let way = (self.here.pos - w.pos).length();
            let elapsed_s = self.last.seconds_since(w.time);
            elapsed_s >= 0.75 * RUN_S
                && way * self.here.unit_m >= RUNNING_MPS * elapsed_s
                && longest <= LONGEST_STEP * way
        })
    }

    /// Where it was at `time`, between the waypoints around it.
    pub fn position_at(&self, time: EventTime) -> Option<Point> {
        let after = self.trail.iter().position(|w| w.time >= time)?;
        let b = self.trail[after];
        if b.time == time {
            return Some(b.pos);
        }
        let a = self.trail[after.checked_sub(1)?];
        let share = time.seconds_since(a.time) / b.time.seconds_since(a.time);
        Some(a.pos + (b.pos - a.pos).scale(share))
    }
}

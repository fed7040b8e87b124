//! Travelling against the direction of a lane.
//!
//! Proved by a path, not by a heading: from where the vehicle turned against
//! the lane it must have come a good way, straight enough and at a
//! vehicle's speed. A box that trembles, grows or jumps between two vehicles
//! makes no such path. What the track did before its identity was in doubt may
//! have been somebody else's: the path is then measured anew from there on, and
//! only one that never gets long enough without a doubt stays open.
//!
//! Source: Luật 36/2024/QH15; NĐ 168/2024 Điều 6.9.d, 7.7.a; reversing is another act (6.4.e).

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, Point, VehicleClass};

use crate::context::{Context, Seen};
use crate::crossing::Waypoint;
use crate::outcome::{Candidate, Explanation, Reason, RuleKind};
use crate::track::TrackState;
use crate::verdict::doubt_reason;
use crate::way::{Way, aloft};

/// Moving this far back with the lane ends a path against it.
const BACKTRACK_M: f64 = 1.0;
/// The way from end to end must be this share of the way travelled.
const STRAIGHTNESS: f64 = 0.8;
/// The way travelled is measured in steps of this length: shorter ones are tremble.
const STEP_M: f64 = 1.0;
/// Slower than a walk is the drift of a box, faster than this nobody goes the
/// wrong way.
const SPEED_MPS: std::ops::RangeInclusive<f64> = 1.0..=30.0;
/// A box that merges with its neighbour jumps by metres from one frame to the
/// next. Travel is made of steps: none may be longer than this share of it.
const LARGEST_STEP: f64 = 0.25;
/// Nobody goes the wrong way for less than this.
const SHORTEST_S: f64 = 0.8;
/// What the head of a vehicle hides of the street behind it goes further than its foot does. Where it goes by less than
/// this share of the way of the foot, the outline has lost a part and nobody has gone.
const HEAD_SHARE: f64 = 0.3;
/// Reversing is slow. What has four wheels and more may do it without having gone forwards before.
const REVERSING_MPS: f64 = 3.0;

/// The rule with its parameters.
#[derive(Clone, Debug)]
pub struct WrongWayRule {
    /// Per lane: whether it is watched.
    pub lanes: Vec<bool>,
    /// Cosine of the smallest angle.
    pub max_cos: f64,
    /// The angle itself, for the record.
    pub min_angle_deg: f64,
    /// Shortest path.
    pub min_path_m: f64,
}

/// One track under the rule.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct WrongWayState {
    /// Found once: nothing more is held against the track.
    done: bool,
    /// It has travelled with a lane before.
    went_with: bool,
    run: Option<Run>,
    /// The part of the run since its identity was last in doubt.
    sure: Option<Box<Run>>,
}

/// A path against one lane.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Run {
    lane: u16,
    /// Where it turned against the lane.
    start: Waypoint,
    /// What its head hid there, of an outline: see [`View::behind_head`].
    ///
    /// [`View::behind_head`]: crate::place::View::behind_head
    head: Option<Point>,
    /// The last step.
    step: Waypoint,
    travelled_m: f64,
    /// The last observation.
    previous: Point,
    /// Longest way between two observations.
    largest_m: f64,
    /// Furthest against the lane so far.
    furthest_m: f64,
    last: EventTime,
    proof: Option<Box<Proof>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Proof {
    way: Way,
    path_m: f64,
    speed_mps: f64,
    angle_deg: f64,
    doubts: Vec<Reason>,
}

impl WrongWayRule {
    /// Take in an observation of a track.
    pub fn observe(&self, cx: &Context<'_>, seen: &Seen<'_>, state: &mut WrongWayState) -> Option<Candidate> {
        if state.done {
            return None;
        }
        let (id, track) = (seen.id, seen.track);
        let here = Waypoint { time: seen.now, pos: seen.place.pos };
        // Where lanes are drawn one over the other it may drive in either.
        let lawful = |l: u16| cx.layout.is_shared_with_opposite(l, seen.place.foot);
        let lane = track.lane.filter(|&l| self.lanes[usize::from(l)] && !lawful(l));
        let Some(lane) = lane else {
            return self.leave(id, track, state);
        };
        let direction = cx.layout.lanes[usize::from(lane)].direction?;
        let unit_m = seen.place.unit_m;
        let head = head(cx, seen);
        match &mut state.run {
            // Straying into the lane beside it does not end a proven path.
            Some(run) if run.lane == lane || run.proof.is_some() => {
                let against_m = run.against_m(here, direction, unit_m);
                if against_m < 0.0 || against_m < run.furthest_m - BACKTRACK_M {
                    let with_m = -against_m;
                    let found = self.leave(id, track, state);
                    state.went_with |= with_m > 0.0;
                    if !state.done {
                        state.run = Some(Run::new(lane, here, head));
                    }
                    return found;
                }
                self.go_on(cx, run, direction, seen, state.went_with);
                if track.class_by_size {
                    // A new outline after a doubt may be no vehicle at all.
                } else if track.doubt_since(seen.now).is_none() {
                    let sure = state.sure.get_or_insert_with(|| Box::new(Run::new(lane, here, head)));
                    self.go_on(cx, sure, direction, seen, state.went_with);
                } else if state.sure.as_ref().is_some_and(|sure| sure.proof.is_none()) {
                    state.sure = None;
                }
            }
            _ => (state.run, state.sure) = (Some(Run::new(lane, here, head)), None),
        }
        None
    }

    fn go_on(&self, cx: &Context<'_>, run: &mut Run, direction: Point, seen: &Seen<'_>, went_with: bool) {
        let here = Waypoint { time: seen.now, pos: seen.place.pos };
        run.advance(here, seen.place.unit_m, run.against_m(here, direction, seen.place.unit_m));
        if run.proof.is_none() {
            run.proof = self.prove(cx, run, direction, seen, went_with);
        }
    }

    /// The track has ended: a proven path is reported.
    pub fn end(&self, id: u32, track: &TrackState, state: &mut WrongWayState) -> Option<Candidate> {
        self.leave(id, track, state)
    }

    fn prove(
        &self,
        cx: &Context<'_>,
        run: &Run,
        lane: Point,
        seen: &Seen<'_>,
        went_with: bool,
    ) -> Option<Box<Proof>> {
        let (here, unit_m) = (Waypoint { time: seen.now, pos: seen.place.pos }, seen.place.unit_m);
        let way = here.pos - run.start.pos;
        let path_m = way.length() * unit_m;
        let cos = way.dot(lane) * unit_m / path_m;
        let speed_mps = path_m / here.time.seconds_since(run.start.time);
        if path_m < self.min_path_m
            || cos > self.max_cos
            || path_m < STRAIGHTNESS * run.travelled_m
            || !SPEED_MPS.contains(&speed_mps)
            || run.largest_m > LARGEST_STEP * path_m
            || here.time < run.start.time.plus_seconds(SHORTEST_S)
            || run
                .head
                .zip(head(cx, seen))
                .is_some_and(|(was, is)| (is - was).dot(way) < HEAD_SHARE * way.dot(way))
        {
            return None;
        }
        let mut doubts: Vec<Reason> =
            doubt_reason(seen.track.doubt_since(run.start.time)).into_iter().collect();
        let reverses = !matches!(seen.track.class, VehicleClass::Motorcycle | VehicleClass::Bicycle);
        // The box of an outline jumps: what it did in half a second proves nothing.
        let velocity = if seen.track.class_by_size { None } else { seen.track.velocity_mps() };
        let now_mps = velocity.map_or(0.0, Point::length);
        if (went_with || reverses) && speed_mps.max(now_mps) < REVERSING_MPS {
            doubts.push(Reason::MaybeReversing);
        }
        Some(Box::new(Proof {
            way: Way { from: run.start, to: here, unit_m, aloft: aloft(cx, seen) },
            path_m,
            speed_mps,
            angle_deg: cos.clamp(-1.0, 1.0).acos().to_degrees(),
            doubts,
        }))
    }

    fn leave(&self, id: u32, track: &TrackState, state: &mut WrongWayState) -> Option<Candidate> {
        let (run, sure) = (state.run.take()?, state.sure.take());
        let is_open = run.proof.as_ref().is_none_or(|proof| !proof.doubts.is_empty());
        let run = sure.filter(|sure| is_open && sure.proof.is_some()).map_or(run, |sure| *sure);
        let proof = run.proof?;
        state.done = true;
        let explanation = Explanation::default()
            .interval("against_the_lane", run.start.time, run.last)
            .fact("path_m", proof.path_m)
            .fact("speed_mps", proof.speed_mps)
            .fact("angle_deg", proof.angle_deg)
            .fact("furthest_m", run.furthest_m)
            .fact("hits", f64::from(track.hits))
            .threshold("min_path_m", self.min_path_m)
            .threshold("min_angle", self.min_angle_deg);
        Some(Candidate {
            until: Some(run.last),
            lane: Some(run.lane),
            way: Some(proof.way),
            doubts: proof.doubts,
            explanation,
            ..Candidate::new(RuleKind::WrongWay, proof.way.to.time, id, track.class)
        })
    }
}

/// What the head of an outline hides; a model sees whole vehicles.
fn head(cx: &Context<'_>, seen: &Seen<'_>) -> Option<Point> {
    seen.track.class_by_size.then(|| cx.layout.view.behind_head(&seen.place)).flatten()
}

impl Run {
    fn new(lane: u16, start: Waypoint, head: Option<Point>) -> Self {
        Self {
            lane,
            start,
            head,
            step: start,
            travelled_m: 0.0,
            previous: start.pos,
            largest_m: 0.0,
            furthest_m: 0.0,
            last: start.time,
            proof: None,
        }
    }

    /// How far against the lane from where it began.
    fn against_m(&self, here: Waypoint, direction: Point, unit_m: f64) -> f64 {
        -direction.dot(here.pos - self.start.pos) * unit_m
    }

    fn advance(&mut self, here: Waypoint, unit_m: f64, against_m: f64) {
        self.last = here.time;
        self.largest_m = self.largest_m.max((here.pos - self.previous).length() * unit_m);
        self.previous = here.pos;
        self.furthest_m = self.furthest_m.max(against_m);
        let step_m = (here.pos - self.step.pos).length() * unit_m;
        if step_m >= STEP_M {
            self.travelled_m += step_m;
            self.step = here;
        }
    }
}

//! What an outline proves by itself, and what it does not.
//!
//! A detector of motion sees what moves before the street, not vehicles: the
//! cab of a truck and its load, a shadow that runs ahead, three riders in one.
//! Such an outline goes over a line like a vehicle, and is none. Before
//! anybody is accused by an outline it must have been seen to come, by itself,
//! and as large as a road user of its class.

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, Point};

use crate::context::{Context, Seen};
use crate::crossing::{Crossing, Line};
use crate::outcome::Reason;
use crate::place::{RoadLine, View};
use crate::track::TrackState;

/// Seen for less long, or from less far before a line, it has not been seen to come …
const COMES_S: f64 = 0.5;
const COMES_M: f64 = 1.0;
/// … unless it has been there for so long.
const WAITS_S: f64 = 3.0;
/// Seen to come by itself to where it stands: from further away than most vehicles are long.
const DRIVES_UP_M: f64 = 5.0;
/// A step over the line is a jump when it is longer than this …
const JUMP_M: f64 = 2.0;
/// … and so many times as long as its speed before explains.
const JUMP_RATIO: f64 = 3.0;
/// Two outlines move as one when their velocities differ by no more than this share …
const ALIKE: f64 = 0.3;
/// … and this much besides.
const ALIKE_MPS: f64 = 0.5;
/// Slower than this everything moves alike.
const MOVES_MPS: f64 = 1.0;

/// How high above the ground it may begin: under its windscreen a car may look like the street …
const LIFTED_M: f64 = 0.9;
/// … so that it seems to cross a line later or earlier than it does, by no more than this.
const MOST_LATE_S: f64 = 1.0;

/// What is held against an outline's being one vehicle; nothing against what a model has recognised.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outline {
    /// It is one.
    pub is_one: bool,
    /// Not seen to come to the line.
    appeared: bool,
    /// It crossed up to so much before it seemed to; after it where negative.
    late_s: f64,
    /// Frames since it crossed, and those in which it touched another that moved alike.
    frames: u32,
    with_another: u32,
}

impl Outline {
    /// Of a track that has just crossed.
    pub fn new(view: &View, road: &RoadLine, track: &TrackState, crossing: &Crossing) -> Self {
        let is_one = track.class_by_size;
        let came = || came(&road.line, track, crossing) && !jumped(track, crossing);
        let late_s = if is_one { late_s(view, track) } else { 0.0 };
        Self { is_one, appeared: is_one && !came(), late_s, frames: 0, with_another: 0 }
    }

    /// One more frame.
    pub fn look(&mut self, cx: &Context<'_>, seen: &Seen<'_>) {
        if self.is_one {
            self.frames += 1;
            self.with_another += u32::from(moves_with_another(cx, seen));
        }
    }

    /// Within which it crossed, by a clock that is off by no more than `clock_s`.
    pub fn interval(&self, crossing: &Crossing, clock_s: f64) -> (EventTime, EventTime) {
        let (before_s, after_s) = (clock_s + self.late_s.max(0.0), clock_s - self.late_s.min(0.0));
        (crossing.from.plus_seconds(-before_s), crossing.to.plus_seconds(after_s))
    }

    /// Why it proves nothing about one vehicle.
    pub fn doubts(&self) -> impl Iterator<Item = Reason> {
        let shared = 2 * self.with_another > self.frames;
        let appeared = self.appeared.then_some(Reason::AppearedAtLine);
        appeared.into_iter().chain(shared.then_some(Reason::IdentityDoubt))
    }
}

/// Whether a track was seen to come towards a line before it crossed it.
fn came(line: &Line, track: &TrackState, crossing: &Crossing) -> bool {
    let before_m =
        |pos: Point| line.offset(pos) * crossing.unit_m * if crossing.rightward { -1.0 } else { 1.0 };
    let earlier = track.trail.iter().filter(|w| w.time <= crossing.from);
    let furthest_m = earlier.map(|w| before_m(w.pos)).fold(0.0, f64::max);
    let seen_s = crossing.from.seconds_since(track.first);
    seen_s >= WAITS_S || seen_s >= COMES_S && furthest_m >= COMES_M
}

/// Whether an outline that stands at `anchor` was seen to come there: the windscreen of a lorry in a queue shows by itself
/// only when the queue has come to rest.
pub fn drove_up(track: &TrackState, anchor: Point, unit_m: f64) -> bool {
    track.trail.iter().any(|w| (w.pos - anchor).length() * unit_m >= DRIVES_UP_M)
}

/// How much later than it does it may seem to be where it is, if it is the upper part of a vehicle.
fn late_s(view: &View, track: &TrackState) -> f64 {
    let lifted = view.lifted_by(&track.place(), LIFTED_M).zip(track.velocity_mps());
    let late_s = lifted.map_or(0.0, |(by, mps)| -by.dot(mps) / mps.dot(mps).max(1e-9));
    late_s.clamp(-MOST_LATE_S, MOST_LATE_S)
}

/// Whether the step over the line was no way of a vehicle, but of a box that merged or split.
fn jumped(track: &TrackState, crossing: &Crossing) -> bool {
    let earlier = || track.trail.iter().rev().filter(|w| w.time <= crossing.from);
    let second = crossing.from.plus_seconds(-1.0);
    let (Some(newest), Some(oldest)) =
        (earlier().next(), earlier().find(|w| w.time <= second).or(earlier().next_back()))
    else {
        return true;
    };
    let lasted_s = crossing.from.seconds_since(oldest.time).max(0.1);
    let before_mps = (newest.pos - oldest.pos).length() * crossing.unit_m / lasted_s;
    let step_s = crossing.to.seconds_since(crossing.from);
    crossing.step_m > JUMP_M && crossing.step_m > JUMP_RATIO * before_mps * step_s
}

/// Whether another outline touches it now and moves as it does: the two may be one vehicle.
pub fn moves_with_another(cx: &Context<'_>, seen: &Seen<'_>) -> bool {
    let Some(own) = seen.track.velocity_mps().filter(|v| v.length() >= MOVES_MPS) else { return false };
    let alike = |v: Point| (v - own).length() <= ALIKE * own.length().max(v.length()) + ALIKE_MPS;
    cx.neighbours.iter().any(|n| {
        n.id != seen.id
            && n.is_outline
            && n.seen == seen.now
            && n.place.touches(&seen.place)
            && n.mps.is_some_and(alike)
    })
}

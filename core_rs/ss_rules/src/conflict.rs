//! A vehicle and a person on foot at one point of a crosswalk, one shortly
//! after the other.
//!
//! Post-encroachment time: from when the first of the two has left the point
//! where their paths cross until the second reaches it. A vehicle that stood
//! for the pedestrian and then goes on behind has given way.
//!
//! Source: Allen, Shin & Cooper 1978, post-encroachment time; NĐ 168/2024 Điều 6.5.l, 7.5.b.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, Point, Segment, VehicleClass};

use crate::context::Seen;
use crate::outcome::{Candidate, Explanation, Reason, RuleKind};

/// Steps shorter than this are tremble.
const STEP_M: f64 = 0.3;
/// Having stood this shortly before is having given way.
const GAVE_WAY_S: f64 = 3.0;

/// The rule.
#[derive(Clone, Debug)]
pub struct ConflictRule {
    /// The crosswalk.
    pub zone: u16,
    /// Shortest time between the two.
    pub pet_s: f64,
}

/// The crosswalk as it was a moment ago.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ConflictState {
    steps: VecDeque<Step>,
    /// Where each track in the zone took its last step.
    feet: Vec<(u32, EventTime, Point)>,
    /// Vehicles already told.
    told: Vec<(u32, EventTime)>,
}

/// A step of somebody on the crosswalk.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Step {
    id: u32,
    class: VehicleClass,
    on_foot: bool,
    from: (EventTime, Point),
    to: (EventTime, Point),
    /// The vehicle has stood shortly before.
    stood: bool,
    /// Told to be on foot by the size of an outline, or to be a vehicle by nothing else.
    by_outline: bool,
}

impl ConflictRule {
    /// Take in an observation of anybody.
    pub fn observe(&self, seen: &Seen<'_>, state: &mut ConflictState) -> Option<Candidate> {
        let horizon = seen.now.plus_seconds(-(self.pet_s + 10.0));
        state.feet.retain(|f| f.1 >= horizon);
        state.told.retain(|t| t.1 >= horizon);
        let old = seen.now.plus_seconds(-(self.pet_s + 1.0));
        while state.steps.front().is_some_and(|s| s.to.0 < old) {
            state.steps.pop_front();
        }
        let foot = state.feet.iter().position(|f| f.0 == seen.id);
        let here = (seen.now, seen.place.pos);
        let is_in = seen.track.is_in_zone(self.zone);
        // The step over its edge counts, in and out: a fast one is a metre long.
        let from = match foot {
            Some(at) => (state.feet[at].1, state.feet[at].2),
            None if is_in => (seen.track.before, here.1 - seen.track.step),
            None => return None,
        };
        let is_step = (here.1 - from.1).length() * seen.place.unit_m >= STEP_M && here.0 > from.0;
        match foot {
            Some(at) if !is_in => drop(state.feet.swap_remove(at)),
            Some(at) if is_step => state.feet[at] = (seen.id, here.0, here.1),
            None => state.feet.push((seen.id, here.0, here.1)),
            Some(_) => {}
        }
        if !is_step {
            return None;
        }
        let step = Step {
            id: seen.id,
            class: seen.track.class,
            on_foot: seen.track.on_foot,
            from,
            to: here,
            stood: seen.track.stood_since(seen.now.plus_seconds(-GAVE_WAY_S)),
            by_outline: if seen.track.on_foot { seen.track.class_by_size } else { seen.track.may_walk() },
        };
        let found = state.steps.iter().find_map(|other| self.meet(seen, &step, other));
        let found = found.filter(|c| !state.told.iter().any(|t| Some(t.0) == c.track));
        state.told.extend(found.as_ref().and_then(|c| Some((c.track?, seen.now))));
        state.steps.push_back(step);
        found
    }

    fn meet(&self, seen: &Seen<'_>, step: &Step, other: &Step) -> Option<Candidate> {
        // Somebody taken for a rider first and for a walker then does not meet himself.
        if step.on_foot == other.on_foot || step.id == other.id {
            return None;
        }
        let segment = |s: &Step| Segment { a: s.from.1, b: s.to.1 };
        let (here, there) = segment(step).intersection(&segment(other))?;
        let instant = |s: &Step, share: f64| s.from.0.plus_seconds(s.to.0.seconds_since(s.from.0) * share);
        let (now, before) = (instant(step, here), instant(other, there));
        let pet_s = now.seconds_since(before).abs();
        let (vehicle, at, on_foot_first) =
            if step.on_foot { (other, before, false) } else { (step, now, true) };
        if pet_s >= self.pet_s || (on_foot_first && vehicle.stood) {
            return None;
        }
        let speed_mps = (vehicle.to.1 - vehicle.from.1).length() * seen.place.unit_m
            / vehicle.to.0.seconds_since(vehicle.from.0);
        let explanation = Explanation::default()
            .interval("both", now.min(before), now.max(before))
            .fact("post_encroachment_s", pet_s)
            .fact("pedestrian_first", f64::from(u8::from(on_foot_first)))
            .fact("speed_mps", speed_mps)
            .threshold("pet_s", self.pet_s);
        let doubts = if step.by_outline || other.by_outline { vec![Reason::ClassDoubt] } else { Vec::new() };
        Some(Candidate {
            zone: Some(self.zone),
            doubts,
            explanation,
            ..Candidate::new(RuleKind::FailToYieldPedestrian, at, vehicle.id, vehicle.class)
        })
    }
}

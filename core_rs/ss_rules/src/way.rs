//! The way on which an act was done, and whether two ways may be one vehicle's.

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, Point};

use crate::context::{Context, Seen};
use crate::crossing::Waypoint;

/// Nobody is taken for the same vehicle after this long.
const MEMORY_S: f64 = 10.0;
/// Both numbers may be alive for this long before the old one is dropped.
pub const OVERLAP_S: f64 = 1.0;
/// Where it is found again may be off by this share of the way it must have come meanwhile.
const OFF_SHARE: f64 = 0.4;
/// Outlines that do the same, this near to each other, may be parts of one vehicle, or it and its shadow: a bus is as long.
pub const PART_M: f64 = 11.0;
/// A part may begin this high above the ground, and then seems to be further from the camera than its vehicle is.
const ALOFT_M: f64 = 2.0;

/// The way on which an act was done.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Way {
    /// Where it began.
    pub from: Waypoint,
    /// Where it was proved, or ended.
    pub to: Waypoint,
    /// Metres per unit of position.
    pub unit_m: f64,
    /// From where a vehicle stands at the end of it to where its upper part seems to.
    pub aloft: Point,
}

/// `Way::aloft` of an outline; what a model recognised has no part that is taken for another, nor has anything without
/// calibration a known height.
pub fn aloft(cx: &Context<'_>, seen: &Seen<'_>) -> Point {
    let lifted = seen.track.class_by_size.then(|| cx.layout.view.lifted_by(&seen.place, ALOFT_M)).flatten();
    lifted.unwrap_or(Point { x: 0.0, y: 0.0 })
}

impl Way {
    /// Whether a vehicle on this way would have come to within `near_m` of the start of `later`.
    /// `may_slow`: or, having slowed down or stopped, anywhere up to there.
    pub fn leads_to(&self, later: &Self, near_m: f64, may_slow: bool) -> bool {
        let elapsed_s = later.from.time.seconds_since(self.to.time);
        if !(-OVERLAP_S..=MEMORY_S).contains(&elapsed_s) || later.from.time <= self.from.time {
            return false;
        }
        let step = self.to.pos - self.from.pos;
        let come = step.scale(elapsed_s / self.to.time.seconds_since(self.from.time));
        let ahead = later.from.pos - self.to.pos;
        let part = if may_slow { (ahead.dot(come) / come.dot(come).max(1e-9)).clamp(0.0, 1.0) } else { 1.0 };
        let off_m = (ahead - come.scale(part)).length() * self.unit_m;
        off_m <= near_m + OFF_SHARE * come.length() * self.unit_m
    }

    /// Whether another was near on its way, half-way through the time that both took.
    pub fn runs_beside(&self, other: &Self) -> bool {
        let from = self.from.time.max(other.from.time);
        let half_s = 0.5 * self.to.time.min(other.to.time).seconds_since(from);
        let apart = self.at(from.plus_seconds(half_s)) - other.at(from.plus_seconds(half_s));
        let part = (apart.dot(self.aloft) / self.aloft.dot(self.aloft).max(1e-9)).clamp(-1.0, 1.0);
        half_s >= 0.0 && (apart - self.aloft.scale(part)).length() * self.unit_m <= PART_M
    }

    /// Where it was at `time`, had it gone evenly.
    fn at(&self, time: EventTime) -> Point {
        let whole_s = self.to.time.seconds_since(self.from.time).max(1e-3);
        self.from.pos + (self.to.pos - self.from.pos).scale(time.seconds_since(self.from.time) / whole_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(x: f64, from_s: f64, to_s: f64) -> Way {
        let at = |s: f64| Waypoint { time: EventTime(0).plus_seconds(s), pos: Point { x, y: 5.0 * s } };
        Way { from: at(from_s), to: at(to_s), unit_m: 1.0, aloft: Point { x: 0.0, y: 0.0 } }
    }

    #[test]
    fn who_goes_alongside_at_the_same_time_runs_beside() {
        assert!(way(0.0, 1.0, 4.0).runs_beside(&way(2.0, 2.0, 5.0)));
        assert!(way(2.0, 2.0, 5.0).runs_beside(&way(0.0, 1.0, 4.0)));
        assert!(!way(0.0, 1.0, 4.0).runs_beside(&way(12.0, 1.0, 4.0)), "too far aside");
        assert!(!way(0.0, 1.0, 4.0).runs_beside(&way(0.0, 6.0, 9.0)), "afterwards");
        let ahead = |w: Waypoint| Waypoint { pos: w.pos + Point { x: 0.0, y: 12.0 }, ..w };
        let own = way(0.0, 1.0, 4.0);
        let way_ahead = Way { from: ahead(own.from), to: ahead(own.to), ..own };
        assert!(!own.runs_beside(&way_ahead), "too far ahead");
        let seen_from = |y: f64| Way { aloft: Point { x: 0.0, y }, ..own };
        assert!(seen_from(4.0).runs_beside(&way_ahead), "its upper part, seen from behind");
        assert!(seen_from(-4.0).runs_beside(&way_ahead), "the vehicle of which this is the upper part");
    }
}

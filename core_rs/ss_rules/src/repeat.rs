//! One vehicle, two tracks: an act is held against a vehicle once.
//!
//! A tracker loses a vehicle behind another and finds it again under a new
//! number. When one vehicle, going on as it went (or, in a lane or zone, more
//! slowly), could have done both acts, the later told one is a duplicate: two
//! people are accused only when there must have been two. Who was seen beside
//! the other for longer than a tracker takes to drop a number is another;
//! only outlines side by side may be one vehicle all the same.

use serde::{Deserialize, Serialize};
use ss_model::EventTime;

use crate::outcome::{Candidate, RuleKind};
use crate::track::TrackState;
use crate::way::{OVERLAP_S, PART_M, Way};

/// An act is told when it is over: so long may it last and still be compared.
const KEEP_S: f64 = 120.0;
/// A stop may last much longer …
const KEEP_STOPS_S: f64 = 6.0 * 3600.0;
/// … and who stands may be hidden for so long.
const HIDDEN_S: f64 = 300.0;
/// How far off the place may be where it is found again, besides a share of the way it must have come meanwhile.
const OFF_M: f64 = 3.0;

/// What has been proved lately on a way.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Proven(Vec<Told>);

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Told {
    kind: RuleKind,
    lane: Option<u16>,
    way: Way,
    /// First and last observation of its track.
    seen: (EventTime, EventTime),
    /// Nothing but motion tells what it is.
    is_outline: bool,
}

impl Told {
    /// Whether what stood here was lost where it stood, and `later` was found standing there: a column of traffic
    /// hides a parked vehicle for as long as it takes.
    fn stands_on_as(&self, later: &Self) -> bool {
        let hidden_s = later.way.from.time.seconds_since(self.way.to.time);
        let lost_there = self.seen.1.seconds_since(self.way.to.time) <= OVERLAP_S;
        let found_there = later.way.from.time.seconds_since(later.seen.0) <= OVERLAP_S;
        let off_m = (later.way.from.pos - self.way.to.pos).length() * self.way.unit_m;
        (-OVERLAP_S..=HIDDEN_S).contains(&hidden_s) && lost_there && found_there && off_m <= OFF_M
    }
}

impl Proven {
    /// Whether the vehicle of `candidate` may be one that is accused of the
    /// same already; if not, the candidate is remembered.
    pub fn repeats(&mut self, candidate: &Candidate, track: &TrackState) -> bool {
        let Some(way) = candidate.way else { return false };
        let seen = (track.first, track.last);
        let new =
            Told { kind: candidate.kind, lane: candidate.lane, way, seen, is_outline: track.class_by_size };
        self.0.retain(|told| {
            let keep_s = if stands(told.kind) { KEEP_STOPS_S } else { KEEP_S };
            track.last.seconds_since(told.way.to.time) <= keep_s
        });
        let is_told = self.0.iter().any(|told| {
            if (told.kind, told.lane) != (new.kind, new.lane) {
                return false;
            }
            if stands(new.kind) {
                return told.stands_on_as(&new) || new.stands_on_as(told);
            }
            let parts = told.is_outline && new.is_outline;
            let together_s = told.seen.1.min(seen.1).seconds_since(told.seen.0.max(seen.0));
            let may_be_one = parts || together_s <= OVERLAP_S;
            let near_m = if parts { PART_M } else { OFF_M };
            // Who goes against a lane does not wait in it.
            let may_slow = candidate.kind != RuleKind::WrongWay;
            let follows =
                told.way.leads_to(&way, near_m, may_slow) || way.leads_to(&told.way, near_m, may_slow);
            may_be_one && (follows || parts && told.way.runs_beside(&way))
        });
        // Remembered in any case: it may be lost once more.
        self.0.push(new);
        is_told
    }
}

/// Whether the act is a stop.
fn stands(kind: RuleKind) -> bool {
    matches!(kind, RuleKind::IllegalStop | RuleKind::BoxBlocking)
}

//! One vehicle, two tracks: an act is held against a vehicle once.
//!
//! A tracker loses a vehicle behind another and finds it again under a new
//! number. When one vehicle, going on as it went, could have done both acts,
//! the later told one is a duplicate: two people are accused only when there
//! must have been two.

use serde::{Deserialize, Serialize};
use ss_model::EventTime;

use crate::outcome::{Candidate, RuleKind};
use crate::track::Waypoint;

/// Nobody is taken for the same vehicle after this long.
const MEMORY_S: f64 = 10.0;
/// Both numbers may be alive for this long before the old one is dropped.
const OVERLAP_S: f64 = 1.0;
/// An act is told when it is over: so long may it last and still be compared.
const KEEP_S: f64 = 120.0;
/// How far off the place may be where it is found again: so much …
const OFF_M: f64 = 3.0;
/// … and this share of the way it must have come meanwhile.
const OFF_SHARE: f64 = 0.4;

/// The way on which an act was proved.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Way {
    /// Where it began.
    pub from: Waypoint,
    /// Where the act was proved.
    pub to: Waypoint,
    /// Metres per unit of position.
    pub unit_m: f64,
}

impl Way {
    /// Whether a vehicle on this way would have come to the start of `later`.
    fn leads_to(&self, later: &Self) -> bool {
        let elapsed_s = later.from.time.seconds_since(self.to.time);
        if !(-OVERLAP_S..=MEMORY_S).contains(&elapsed_s) || later.from.time <= self.from.time {
            return false;
        }
        let step = self.to.pos - self.from.pos;
        let come = step.scale(elapsed_s / self.to.time.seconds_since(self.from.time));
        let off_m = (later.from.pos - (self.to.pos + come)).length() * self.unit_m;
        off_m <= OFF_M + OFF_SHARE * come.length() * self.unit_m
    }
}

/// What has been proved lately on a way.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Proven(Vec<(RuleKind, Option<u16>, Way)>);

impl Proven {
    /// Whether the vehicle of `candidate` may be one that is accused of the
    /// same already; if not, the candidate is remembered.
    pub fn repeats(&mut self, candidate: &Candidate, now: EventTime) -> bool {
        let Some(way) = candidate.way else { return false };
        self.0.retain(|(.., w)| now.seconds_since(w.to.time) <= KEEP_S);
        let is_told = self.0.iter().any(|(kind, lane, told)| {
            (*kind, *lane) == (candidate.kind, candidate.lane) && (told.leads_to(&way) || way.leads_to(told))
        });
        if !is_told {
            self.0.push((candidate.kind, candidate.lane, way));
        }
        is_told
    }
}

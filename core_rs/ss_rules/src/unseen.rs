//! Who must have crossed a stop line although nobody saw it.
//!
//! A vehicle that appears just past the line and goes on as its lane leads
//! was over it a moment ago: hidden behind another, or not yet told from the
//! queue. It is counted at the instant that its speed gives, and the count
//! says so; it is held against nobody, since a proof must be seen.

use serde::{Deserialize, Serialize};
use ss_model::EventTime;

use crate::config::LineKind;
use crate::crossing::{Crossing, DEAD_BAND_M};
use crate::place::{Place, RoadLine};
use crate::track::TrackState;

/// Looked at once, when its way shows where it came from.
pub const AGE_S: f64 = 0.5;
/// Appears at most this far past the line …
const PAST_M: f64 = 6.0;
/// … at no less than this speed away from it: nobody on foot …
const AWAY_MPS: f64 = 2.0;
/// … and has been over it no longer ago than this.
const AGO_S: f64 = 2.0;
/// Somebody seen crossing so near in time and along the line is the same vehicle.
const SAME_S: f64 = 1.0;
const SAME_M: f64 = 1.5;

/// The crossing of `road` that brought `track` where it appeared.
pub fn crossing(road: &RoadLine, track: &TrackState, place: &Place) -> Option<Crossing> {
    let rightward = road.lawful_rightward.filter(|_| road.kind == LineKind::Stop)?;
    let appeared = track.trail.front()?;
    let past_m = |pos| road.line.offset(pos) * place.unit_m * if rightward { 1.0 } else { -1.0 };
    let (there_m, here_m) = (past_m(appeared.pos), past_m(place.pos));
    let elapsed_s = track.last.seconds_since(appeared.time);
    let away_mps = (here_m - there_m) / elapsed_s;
    let aside_m = (road.line.station(place.pos) - road.line.station(appeared.pos)).abs() * place.unit_m;
    if !(-DEAD_BAND_M..=PAST_M).contains(&there_m) || away_mps < AWAY_MPS || aside_m > here_m - there_m {
        return None;
    }
    let ago_s = there_m / away_mps;
    let back = (place.pos - appeared.pos).scale(-ago_s / elapsed_s);
    let (time, at) = (appeared.time.plus_seconds(-ago_s), appeared.pos + back);
    let near = road.line.beyond(at) == 0.0 && ago_s <= AGO_S;
    near.then(|| Crossing {
        from: time.min(appeared.time).plus_seconds(-ago_s.abs()),
        to: time.max(appeared.time),
        time,
        station: road.line.station(at),
        unit_m: place.unit_m,
        beyond: 0.0,
        rightward,
        step_m: there_m,
    })
}

/// The latest crossings: line, instant and place.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Passed {
    /// First frame of the run: who is past the line already was over it before.
    since: Option<EventTime>,
    lately: Vec<(u16, EventTime, f64)>,
}

impl Passed {
    /// A frame of the run begins.
    pub fn begin(&mut self, now: EventTime) {
        self.since.get_or_insert(now);
    }

    /// Somebody crossed `line`.
    pub fn add(&mut self, line: u16, crossing: &Crossing, now: EventTime) {
        self.lately.retain(|p| now.seconds_since(p.1) <= AGO_S + SAME_S + AGE_S);
        self.lately.push((line, crossing.time, crossing.station));
    }

    /// Somebody is known to have crossed `line` there and then, or nobody was watching yet.
    pub fn has(&self, line: u16, crossing: &Crossing) -> bool {
        self.since.is_none_or(|since| crossing.time <= since)
            || self.lately.iter().any(|&(on, time, station)| {
                on == line
                    && time.seconds_since(crossing.time).abs() <= SAME_S
                    && (station - crossing.station).abs() * crossing.unit_m <= SAME_M
            })
    }
}

//! Who must have crossed a stop line although nobody saw it.
//!
//! A vehicle that appears just past the line and goes on as its lane leads
//! was over it a moment ago: hidden behind another, or not yet told from the
//! queue. It is counted at the instant that its speed gives, and the count
//! says so; it is held against nobody, since a proof must be seen.

use crate::config::LineKind;
use crate::crossing::{Crossing, DEAD_BAND_M};
use crate::place::{Place, RoadLine};
use crate::track::TrackState;

/// Its way shows where it came from after this long …
pub const AGE_S: f64 = 0.5;
/// … or, when it sets off from the line, after no more than this.
pub const SETS_OFF_S: f64 = 2.0;
/// Appears at most this far past the line: two cars hide what is behind them for as long …
const PAST_M: f64 = 9.0;
/// … at no less than this speed away from it: nobody on foot …
const AWAY_MPS: f64 = 3.0;
/// … and has been over it no longer ago than this.
const AGO_S: f64 = 2.0;

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

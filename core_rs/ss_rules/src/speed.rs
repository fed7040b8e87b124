//! Speed from pictures: an estimate over a long base, never an accusation.
//!
//! The slope of the way against time over the last second or more, by
//! least squares: one foot point that jumps moves it little, and a way that
//! jumps from one vehicle to another does not fit.

use serde::{Deserialize, Serialize};
use ss_model::EventTime;

use crate::context::{Context, Seen};
use crate::crossing::Waypoint;
use crate::outcome::{Candidate, Explanation, RuleKind};
use crate::track::{TRAIL, TrackState};

/// Shortest base in time …
const BASE_S: f64 = 1.0;
/// … and in way: half a metre at an end is 3 % of it.
const BASE_M: f64 = 15.0;
/// Too fast for this long in a row.
const PERSISTS_S: f64 = 0.3;
/// A way that lies off the fit by more than this is not one vehicle's.
const MISFIT_M: f64 = 2.0;
/// Faster than anything on a street.
const ABSURD_KMH: f64 = 250.0;
const KMH: f64 = 3.6;

/// The rule.
#[derive(Clone, Debug)]
pub struct SpeedRule {
    /// Per lane: whether it is watched.
    pub lanes: Vec<bool>,
    /// Above the limit and let pass.
    pub tolerance_kmh: f64,
}

/// One track under the rule.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SpeedState {
    done: bool,
    /// Since when it has been where a limit is watched: no base reaches back further.
    entered: Option<EventTime>,
    fast: Option<Fast>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Fast {
    lane: u16,
    limit_kmh: f64,
    since: EventTime,
    last: EventTime,
    top_kmh: f64,
    proved: bool,
}

impl SpeedRule {
    /// Take in an observation of a track.
    pub fn observe(&self, cx: &Context<'_>, seen: &Seen<'_>, state: &mut SpeedState) -> Option<Candidate> {
        if state.done {
            return None;
        }
        let lane = seen.track.lane.filter(|&l| self.lanes[usize::from(l)]);
        let limit_kmh = lane.and_then(|l| cx.layout.lanes[usize::from(l)].speed_limit_kmh);
        let Some((lane, limit_kmh)) = lane.zip(limit_kmh) else {
            state.entered = None;
            return self.leave(seen.id, seen.track, state);
        };
        let entered = *state.entered.get_or_insert(seen.now);
        let kmh = estimate_kmh(seen, entered, limit_kmh + self.tolerance_kmh);
        match (&mut state.fast, kmh) {
            (Some(fast), Some(kmh)) => {
                fast.last = seen.now;
                fast.top_kmh = fast.top_kmh.max(kmh);
                fast.proved |= seen.now >= fast.since.plus_seconds(PERSISTS_S);
            }
            (None, Some(kmh)) => {
                let (since, last) = (seen.now, seen.now);
                state.fast = Some(Fast { lane, limit_kmh, since, last, top_kmh: kmh, proved: false });
            }
            (Some(fast), None) if fast.proved => fast.last = seen.now,
            (_, None) => state.fast = None,
        }
        None
    }

    /// The track has ended: a proven estimate is reported.
    pub fn end(&self, id: u32, track: &TrackState, state: &mut SpeedState) -> Option<Candidate> {
        self.leave(id, track, state)
    }

    fn leave(&self, id: u32, track: &TrackState, state: &mut SpeedState) -> Option<Candidate> {
        let fast = state.fast.take().filter(|f| f.proved)?;
        state.done = true;
        let explanation = Explanation::default()
            .interval("too_fast", fast.since, fast.last)
            .fact("speed_kmh", fast.top_kmh)
            .fact("limit_kmh", fast.limit_kmh)
            .fact("hits", f64::from(track.hits))
            .threshold("tolerance_kmh", self.tolerance_kmh)
            .threshold("base_s", BASE_S)
            .threshold("base_m", BASE_M);
        Some(Candidate {
            until: Some(fast.last),
            lane: Some(fast.lane),
            explanation,
            ..Candidate::new(RuleKind::Speeding, fast.since, id, track.class)
        })
    }
}

/// Speed over the base when it is above `threshold_kmh` and one vehicle's.
fn estimate_kmh(seen: &Seen<'_>, entered: EventTime, threshold_kmh: f64) -> Option<f64> {
    let track = seen.track;
    let long_ago = track.trail.partition_point(|w| w.time <= seen.now.plus_seconds(-BASE_S));
    let mut before = track.trail.range(..long_ago).rev().take_while(|w| w.time >= entered);
    let base = before.find(|w| (seen.place.pos - w.pos).length() * seen.place.unit_m >= BASE_M)?;
    let way = seen.place.pos - base.pos;
    let rough_kmh = way.length() * seen.place.unit_m / seen.now.seconds_since(base.time) * KMH;
    if rough_kmh < 0.9 * threshold_kmh || track.doubt_since(base.time).is_some() {
        return None;
    }
    let along = way.scale(1.0 / way.length());
    let here = Waypoint { time: seen.now, pos: seen.place.pos };
    let since = track.trail.partition_point(|w| w.time < base.time);
    let points = track.trail.range(since..).chain(std::iter::once(&here));
    let mut samples = [(0.0, 0.0); TRAIL + 1];
    let mut n = 0;
    let (mut st, mut sx, mut stt, mut stx) = (0.0, 0.0, 0.0, 0.0);
    for (sample, point) in samples.iter_mut().zip(points) {
        let t = point.time.seconds_since(base.time);
        let x = along.dot(point.pos - base.pos) * seen.place.unit_m;
        (n, st, sx, stt, stx) = (n + 1, st + t, sx + x, stt + t * t, stx + t * x);
        *sample = (t, x);
    }
    let (samples, n) = (&samples[..n], n as f64);
    let slope = (n * stx - st * sx) / (n * stt - st * st);
    let intercept = (sx - slope * st) / n;
    let fits = samples.iter().all(|(t, x)| (x - intercept - slope * t).abs() <= MISFIT_M);
    let kmh = slope * KMH;
    (fits && kmh > threshold_kmh && kmh < ABSURD_KMH).then_some(kmh)
}

//! The traffic of every lane, minute by minute.
//!
//! Speed and occupancy follow the generalised definitions of traffic flow
//! over a stretch of road and a stretch of time: the way all vehicles covered
//! over the time they spent, and the length they took up over the length
//! there is. A camera that saw only half a minute says so.
//!
//! Source: Edie 1963, Discussion of traffic stream measurements and definitions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, VehicleClass};

use crate::context::length_m;
use crate::place::{Lane, Place};
use crate::track::{MAX_GAP_S, TrackState};

const MINUTE_NS: i64 = 60_000_000_000;
/// A vehicle is counted in a lane that no line crosses once it has been there this long.
const THERE_S: f64 = 1.0;

/// What a camera has seen of the minute that runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// Start of the minute.
    minute: Option<EventTime>,
    /// Newest frame.
    last: EventTime,
    observed_s: f64,
    lanes: Vec<Running>,
}

/// The minute of one lane.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Running {
    counts: BTreeMap<VehicleClass, u32>,
    way_m: f64,
    time_s: f64,
    /// Metres taken up, times seconds.
    taken_up: f64,
    /// Standing in the frame that runs, and the most in any.
    standing: u32,
    queue: u32,
}

/// A minute of a lane.
#[derive(Clone, Debug, PartialEq)]
pub struct Minute {
    /// Its start.
    pub start: EventTime,
    /// Index of the lane.
    pub lane: u16,
    /// Vehicles that crossed the line of the lane, by class.
    pub counts: BTreeMap<VehicleClass, u32>,
    /// Mean along the lane over way and time, m/s; absent without calibration or vehicles.
    pub mean_speed_mps: Option<f64>,
    /// Share of the lane's length that was taken up, 0–1; absent without calibration.
    pub occupancy: Option<f64>,
    /// Most vehicles standing at once.
    pub queue: u32,
    /// Seconds of the minute that the camera saw.
    pub observed_s: f64,
}

impl Traffic {
    /// Begin a frame at `now`. When a minute has ended before it, that is the answer.
    pub fn begin(&mut self, lanes: &[Lane], now: EventTime) -> Vec<Minute> {
        let minute = EventTime(now.0.div_euclid(MINUTE_NS) * MINUTE_NS);
        let told = if self.minute.is_some_and(|m| m < minute) { self.close(lanes) } else { Vec::new() };
        let elapsed_s = now.seconds_since(self.last);
        if self.minute.is_some() && elapsed_s <= MAX_GAP_S {
            self.observed_s += elapsed_s;
        }
        self.lanes.resize_with(lanes.len(), Running::default);
        for lane in &mut self.lanes {
            lane.standing = 0;
        }
        (self.minute, self.last) = (Some(minute), now);
        told
    }

    /// A vehicle in the frame.
    pub fn vehicle(
        &mut self,
        lanes: &[Lane],
        count_lines: &[Option<u16>],
        track: &TrackState,
        place: &Place,
    ) {
        let Some(at) = track.lane.map(usize::from).filter(|_| track.is_confirmed() && !track.on_foot) else {
            return;
        };
        let (lane, running) = (&lanes[at], &mut self.lanes[at]);
        running.standing += u32::from(track.stands());
        running.queue = running.queue.max(running.standing);
        let elapsed_s = track.last.seconds_since(track.before);
        if elapsed_s > 0.0 && elapsed_s <= MAX_GAP_S {
            let along = lane.direction.map_or(0.0, |d| d.dot(track.step));
            running.way_m += along * place.unit_m;
            running.time_s += elapsed_s;
            running.taken_up += length_m(track.class) * elapsed_s;
        }
        let (now_s, before_s) = [track.last, track.before].map(|t| t.seconds_since(track.lane_since)).into();
        if count_lines[at].is_none() && now_s >= THERE_S && before_s < THERE_S {
            *running.counts.entry(track.class).or_default() += 1;
        }
    }

    /// A vehicle crossed the line of a lane, the way it should.
    pub fn crossed(&mut self, lane: u16, class: VehicleClass) {
        let vehicle = class != VehicleClass::Pedestrian;
        if let Some(running) = self.lanes.get_mut(usize::from(lane)).filter(|_| vehicle) {
            *running.counts.entry(class).or_default() += 1;
        }
    }

    /// The input has ended, or the minute: say what it was.
    pub fn close(&mut self, lanes: &[Lane]) -> Vec<Minute> {
        let Some(start) = self.minute.take() else { return Vec::new() };
        let observed_s = std::mem::take(&mut self.observed_s);
        let running = std::mem::take(&mut self.lanes);
        let minute = |(at, (lane, run)): (usize, (&Lane, Running))| Minute {
            start,
            lane: at as u16,
            counts: run.counts,
            mean_speed_mps: lane
                .length_m
                .filter(|_| run.time_s > 0.0)
                .map(|_| (run.way_m / run.time_s).max(0.0)),
            occupancy: lane
                .length_m
                .filter(|_| observed_s > 0.0)
                .map(|length| (run.taken_up / (length * observed_s)).min(1.0)),
            queue: run.queue,
            observed_s,
        };
        lanes.iter().zip(running).enumerate().map(minute).collect()
    }
}

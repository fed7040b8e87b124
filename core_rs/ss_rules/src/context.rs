//! What a rule sees of the world in one frame.

use ss_model::{EventTime, Point, VehicleClass};

use crate::crossing::Crossing;
use crate::footprint::Footprint;
use crate::hours::Calendar;
use crate::place::{Layout, Place};
use crate::signals::SignalHistory;
use crate::standstill::STANDS_S;
use crate::track::TrackState;

/// Half the width in which a vehicle ahead is in the way.
const ASIDE_M: f64 = 2.0;

/// The world around a track.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The camera's geometry.
    pub layout: &'a Layout,
    /// Signals by group, known up to the frame plus the clock's uncertainty.
    pub signals: &'a [SignalHistory],
    /// Local time.
    pub calendar: &'a Calendar,
    /// Those seen lately who stand, or are told by their outlines only; empty when no rule asks for them.
    pub neighbours: &'a [Neighbour],
}

/// A track as another one sees it.
#[derive(Clone, Copy, Debug)]
pub struct Neighbour {
    /// Number of the track.
    pub id: u32,
    /// Its class.
    pub class: VehicleClass,
    /// Since when it has not moved.
    pub still_since: EventTime,
    /// When it was seen last, and how large.
    pub seen: EventTime,
    /// Its box and where that stands.
    pub place: Place,
    /// Told by its outline only.
    pub is_outline: bool,
    /// Way in metres a second, of an outline.
    pub mps: Option<Point>,
}

/// One observation of a track, after its memory has taken it in.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// Number of the track.
    pub id: u32,
    /// What is remembered of it.
    pub track: &'a TrackState,
    /// When the frame was taken.
    pub now: EventTime,
    /// Where the vehicle touches the ground.
    pub place: Place,
    /// Lines that this observation completes a crossing of.
    pub crossed: &'a [(u16, Crossing)],
}

impl Context<'_> {
    /// Whether another vehicle stands ahead of `seen`, with a gap of no more
    /// than `gap_m` between the two, in the way it heads; answers since when the nearest one has stood.
    pub fn standing_ahead(&self, seen: &Seen<'_>, gap_m: f64) -> Option<EventTime> {
        let way = self.heading(seen)?;
        let unit_m = seen.place.unit_m;
        self.neighbours
            .iter()
            .filter(|n| n.id != seen.id && n.class != VehicleClass::Pedestrian)
            .filter(|n| seen.now >= n.still_since.plus_seconds(STANDS_S))
            .filter_map(|n| {
                let away = n.place.pos - seen.place.pos;
                let (ahead_m, aside_m) = (away.dot(way) * unit_m, away.cross(way).abs() * unit_m);
                let reach_m = gap_m + length_m(n.class).max(length_m(seen.track.class));
                (ahead_m > 0.5 && ahead_m <= reach_m && aside_m <= ASIDE_M)
                    .then_some((ahead_m, n.still_since))
            })
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, since)| since)
    }

    /// What a vehicle covers of the ground.
    pub fn footprint(&self, seen: &Seen<'_>) -> Footprint {
        let way = seen.track.heading(2.0).or_else(|| self.heading(seen));
        Footprint::of(&self.layout.view, &seen.place, way, seen.track.class)
    }

    /// The way a track heads: its lane's, else that of its last metres.
    fn heading(&self, seen: &Seen<'_>) -> Option<Point> {
        let by_lane = seen.track.lane.and_then(|l| self.layout.lanes[usize::from(l)].direction);
        by_lane.or_else(|| seen.track.heading(2.0))
    }
}

/// A vehicle of the class, from end to end: the foot point is at one of them.
pub fn length_m(class: VehicleClass) -> f64 {
    match class {
        VehicleClass::Bus => 12.0,
        VehicleClass::Truck => 9.0,
        VehicleClass::Car | VehicleClass::Unknown => 4.5,
        VehicleClass::Motorcycle | VehicleClass::Bicycle | VehicleClass::Pedestrian => 2.0,
    }
}

//! Standing still, in spite of a foot point that trembles.

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, Point};

use crate::place::Place;

/// Within this distance of where it first stood a vehicle still stands: the
/// foot point of a detected box trembles by half a metre, far off by more.
const STILL_M: f64 = 0.5;

/// Not having moved for this long is standing, in seconds.
pub const STANDS_S: f64 = 0.5;

/// Where and since when a track has not moved.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Standstill {
    /// First observation of the standstill.
    pub since: EventTime,
    anchor: Point,
}

impl Standstill {
    /// Begin at `pos`.
    pub fn new(time: EventTime, pos: Point) -> Self {
        Self { since: time, anchor: pos }
    }

    /// Observe.
    pub fn observe(&mut self, time: EventTime, place: &Place) {
        if (place.pos - self.anchor).length() * place.unit_m > STILL_M.max(place.tremble_m) {
            *self = Self::new(time, place.pos);
        }
    }
}

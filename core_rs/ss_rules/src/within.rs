//! A faint two-wheeler within the box of a larger vehicle.
//!
//! To a detection model the headlights of a car at night are two motorcycles,
//! and so is now and then the cab of a lorry. A rider before a car looks the
//! same, but the model is surer of him.

use ss_model::{Track, VehicleClass};

/// What a model gives less, it takes more likely for something else.
pub const EVEN_CHANCE: f32 = 0.5;
/// Share of its box that lies within the larger vehicle's.
const WITHIN: f32 = 0.7;

/// Whether `row` may be part of a larger vehicle among the tracks of its frame: a two-wheeler with no more than an even
/// chance, mostly within the box of a car, lorry or bus of which the model is surer. Not asked of outlines.
pub fn may_be_part(row: &Track, tracks: &[Track]) -> bool {
    let is_two_wheeler = matches!(row.class, VehicleClass::Motorcycle | VehicleClass::Bicycle);
    let is_larger = |t: &Track| {
        matches!(t.class, VehicleClass::Car | VehicleClass::Truck | VehicleClass::Bus)
            && (t.flags & (Track::PREDICTED | Track::CLASS_BY_SIZE)) == 0
            && t.score > row.score
    };
    is_two_wheeler
        && row.score < EVEN_CHANCE
        && row.flags & Track::CLASS_BY_SIZE == 0
        && tracks.iter().any(|t| is_larger(t) && t.bbox.cover(&row.bbox) >= WITHIN)
}

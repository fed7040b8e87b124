//! What a vehicle covers of the ground, as far as its box tells.
//!
//! A camera that looks along the road sees a box as wide as the vehicle. One
//! that looks from the side sees its length, too: the box of a bus is then
//! several times as wide as the bus, and its bottom centre lies beside it. How
//! much of the box is width and how much length follows from the way the
//! vehicle heads, from the view of the ground there, and from how long for
//! their width vehicles of its class are.

use ss_model::{Point, VehicleClass};

use crate::context::length_m;
use crate::place::{Place, View};

/// Without calibration: a metre along the road is this much shorter in the
/// picture than one across it.
const FORESHORTENED: f64 = 0.5;

/// The width of a box over that of its class: less is a part, more are several.
const WIDTH_RATIO: std::ops::RangeInclusive<f64> = 0.5..=1.7;
/// Least height over that of its class, and most over height and length together.
const HEIGHT_RATIO: (f64, f64) = (0.6, 1.3);

/// More than this share of a vehicle ahead of the bottom of its box: the box shows its rear.
const FROM_BEHIND: f64 = 0.6;

/// A vehicle that stands askew may lie by so much of its length ahead of the nearest corner of its box.
const ASKEW: f64 = 1.2;

/// A parallelogram in the picture: the ground under a vehicle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Footprint {
    /// Its middle.
    pub middle: Point,
    /// From the middle to the front, or to the rear.
    pub along: Point,
    /// From the middle to one side.
    pub across: Point,
}

impl Footprint {
    /// Of a vehicle at `place` that heads along `way` (unit vector, space of
    /// positions); without a way its box is its width.
    pub fn of(view: &View, place: &Place, way: Option<Point>, class: VehicleClass) -> Self {
        let flat = Self {
            middle: place.foot,
            along: Point::default(),
            across: Point { x: place.width / 2.0, y: 0.0 },
        };
        let Some((along, across)) = way.and_then(|way| in_picture(view, place, way)) else { return flat };
        let long = lengths_per_width(class);
        let half = place.width / (long * along.x.abs() + across.x.abs()) / 2.0;
        if !half.is_finite() {
            return flat;
        }
        let (along, across) = (along.scale(long * half), across.scale(half));
        // The bottom of the box is its nearest corner.
        let middle = Point { x: place.foot.x, y: place.foot.y - along.y.abs() - across.y.abs() };
        Self { middle, along, across }
    }

    /// Its corners when it is made smaller to a share of itself.
    pub fn corners(&self, share: f64) -> [Point; 4] {
        [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)]
            .map(|(a, b)| self.middle + self.along.scale(a * share) + self.across.scale(b * share))
    }
}

/// How far the front of a vehicle lies ahead of the middle of its box's bottom, in metres.
#[derive(Clone, Copy, Debug)]
pub struct Ahead {
    /// As far at least: by the shortest vehicles of its class, where its rear wheels are what is seen.
    pub least: f64,
    /// As far as a rule, by vehicles of usual length.
    pub usual: f64,
    /// No further than this: by the longest.
    pub most: f64,
}

/// Where the front is of a vehicle that goes along `way` (unit vector, space of positions): at the bottom of its box where
/// it comes towards the camera, its whole length ahead where it drives away.
pub fn front_ahead(view: &View, place: &Place, way: Point, class: VehicleClass) -> Ahead {
    let up = Point { x: place.foot.x, y: place.foot.y - 1e-4 };
    let metre = if view.is_metric() { 1.0 } else { FORESHORTENED };
    let away = view.position(up).map(|p| p - place.pos);
    let share = away.map_or(1.0, |away| {
        let cos = (way.dot(away) / away.length()).clamp(-1.0, 1.0);
        let (sin2, from_behind) = (1.0 - cos * cos, cos > 0.0);
        // The nearest corner is the bottom of the box, half of the width beside the middle of front or rear.
        let corner = cos * sin2.sqrt() / lengths_per_width(class) / 2.0;
        corner + if from_behind { 1.0 - sin2 / 2.0 } else { sin2 / 2.0 }
    });
    let share = share.max(0.0);
    let from_behind = share >= FROM_BEHIND && view.is_metric();
    let (least_m, most_m) = lengths_m(class);
    Ahead {
        least: if from_behind { share * least_m } else { 0.0 },
        usual: share * length_m(class) * metre,
        most: share * most_m * metre,
    }
}

/// Whether a box is as large as a road user of the class, seen from the side that its way shows.
pub fn fits(view: &View, place: &Place, way: Point, class: VehicleClass) -> bool {
    let Some(height_m) = view.height_m(place) else { return true };
    let [long, wide, tall] = size_m(class);
    let as_tall = (HEIGHT_RATIO.0 * tall..=HEIGHT_RATIO.1 * (tall + long)).contains(&height_m);
    let as_wide = in_picture(view, place, way).is_none_or(|(along, across)| {
        WIDTH_RATIO.contains(&(place.width / (long * along.x.abs() + wide * across.x.abs())))
    });
    as_tall && as_wide
}

/// A unit of position along `way` and the same across it, as the picture shows them.
fn in_picture(view: &View, place: &Place, way: Point) -> Option<(Point, Point)> {
    let step = 1e-4;
    let at = |dx: f64, dy: f64| view.position(Point { x: place.foot.x + dx, y: place.foot.y + dy });
    let (u, v) = (at(step, 0.0)? - place.pos, at(0.0, step)? - place.pos);
    let area = u.cross(v);
    let back = |p: Point| Point { x: p.cross(v), y: u.cross(p) }.scale(step / area);
    Some(if view.is_metric() {
        (back(way), back(Point { x: -way.y, y: way.x }))
    } else {
        (back(way.scale(FORESHORTENED)), back(Point { x: 1.0, y: 0.0 }))
    })
}

/// From the rear wheels of the shortest to the front, and from end to end of the longest.
fn lengths_m(class: VehicleClass) -> (f64, f64) {
    match class {
        VehicleClass::Motorcycle | VehicleClass::Bicycle | VehicleClass::Pedestrian => (1.5, 2.3),
        VehicleClass::Car => (2.4, 6.0),
        VehicleClass::Bus => (4.0, 12.2),
        VehicleClass::Truck => (2.6, 20.0),
        VehicleClass::Unknown => (0.0, 6.0),
    }
}

/// The longest of a class, from end to end.
pub fn longest_m(class: VehicleClass) -> f64 {
    lengths_m(class).1
}

/// Further ahead no front of the class is, for a quick no: at least of the shortest, and at most of the longest.
pub fn reach_m(class: VehicleClass) -> (f64, f64) {
    let (least, most) = lengths_m(class);
    (ASKEW * least, ASKEW * most)
}

/// How many times as long as wide vehicles of a class are.
fn lengths_per_width(class: VehicleClass) -> f64 {
    match class {
        VehicleClass::Bus => 4.4,
        VehicleClass::Truck => 3.1,
        VehicleClass::Pedestrian => 1.0,
        VehicleClass::Car | VehicleClass::Motorcycle | VehicleClass::Bicycle | VehicleClass::Unknown => 2.5,
    }
}

/// Length, width and height of a road user.
fn size_m(class: VehicleClass) -> [f64; 3] {
    match class {
        VehicleClass::Motorcycle | VehicleClass::Bicycle | VehicleClass::Unknown => [1.9, 0.8, 1.65],
        VehicleClass::Car => [4.4, 1.8, 1.5],
        VehicleClass::Truck => [7.0, 2.3, 2.8],
        VehicleClass::Bus => [11.0, 2.5, 3.1],
        VehicleClass::Pedestrian => [0.5, 0.5, 1.7],
    }
}

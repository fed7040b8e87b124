//! What a vehicle covers of the ground, as far as its box tells.
//!
//! A camera that looks along the road sees a box as wide as the vehicle. One
//! that looks from the side sees its length, too: the box of a bus is then
//! several times as wide as the bus, and its bottom centre lies beside it. How
//! much of the box is width and how much length follows from the way the
//! vehicle heads, from the view of the ground there, and from how long for
//! their width vehicles of its class are.

use ss_model::{Point, VehicleClass};

use crate::place::{Place, View};

/// Without calibration: a metre along the road is this much shorter in the
/// picture than one across it.
const FORESHORTENED: f64 = 0.5;

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

/// A unit of position along `way` and the same across it, as the picture shows them.
pub(crate) fn in_picture(view: &View, place: &Place, way: Point) -> Option<(Point, Point)> {
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

/// How many times as long as wide vehicles of a class are.
fn lengths_per_width(class: VehicleClass) -> f64 {
    match class {
        VehicleClass::Bus => 4.4,
        VehicleClass::Truck => 3.1,
        VehicleClass::Pedestrian => 1.0,
        VehicleClass::Car | VehicleClass::Motorcycle | VehicleClass::Bicycle | VehicleClass::Unknown => 2.5,
    }
}

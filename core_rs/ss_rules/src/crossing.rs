//! Crossing a line: once per passage, with the interval in which it happened.
//!
//! A side counts as reached only beyond a dead band, so that a vehicle that
//! stands on the line and trembles crosses nothing (a stopped car counted
//! fifteen times is a classic of the field). The instant is that of the last
//! change of sign before the far side was clearly reached; reversing a path
//! reverses its crossing.
//!
//! Who stands on the line changes sides while his box trembles, and none of
//! those changes is his going. From the first of them since he was before the
//! line for longer than a second, to the frame in which he was clearly past,
//! any instant may be that of the crossing. Where that took longer than a second
//! the whole stretch is its interval, and it is told for the end, the first
//! frame that proves that he has gone.

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, Point};

/// Half the width of the dead band in metres. The foot point of a detected
/// box jumps by about half a metre.
pub const DEAD_BAND_M: f64 = 0.5;
/// Longer than this on one side of the line, within the dead band, is standing there.
const LINGERS_S: f64 = 1.0;

/// A position and when, for rules that look back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waypoint {
    /// When.
    pub time: EventTime,
    /// Where.
    pub pos: Point,
}

/// A line in the space of positions.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    a: Point,
    /// Unit vector along the line.
    along: Point,
    /// Unit vector to the right of the points, as the picture shows them.
    right: Point,
    length: f64,
}

impl Line {
    /// Through `a` and `b`, with `right` anywhere to the right of them as the
    /// picture shows it (the ground plane may be mirrored); `None` when the
    /// three points span no plane.
    pub fn new(a: Point, b: Point, right: Point) -> Option<Self> {
        let length = (b - a).length();
        let along = (b - a).scale(1.0 / length);
        let normal = Point { x: -along.y, y: along.x };
        let side = normal.dot(right - a);
        (side.is_finite() && side != 0.0).then(|| Self {
            a,
            along,
            right: normal.scale(side.signum()),
            length,
        })
    }

    /// Signed distance in the units of `pos`, positive to the right.
    pub fn offset(&self, pos: Point) -> f64 {
        self.right.dot(pos - self.a)
    }

    /// How far along the line, from its first point, the foot of `pos` lies.
    pub fn station(&self, pos: Point) -> f64 {
        self.along.dot(pos - self.a)
    }

    /// Whether the line passes between two points.
    pub fn is_between(&self, p: Point, q: Point) -> bool {
        let (a, b) = (self.offset(p), self.offset(q));
        (a > 0.0) != (b > 0.0) && self.beyond(p + (q - p).scale(a / (a - b))) == 0.0
    }

    /// Unit vector to the right of the points.
    pub fn right(&self) -> Point {
        self.right
    }

    /// How far beyond its ends the foot of `pos` on the line lies.
    pub fn beyond(&self, pos: Point) -> f64 {
        let station = self.station(pos);
        (-station).max(station - self.length).max(0.0)
    }
}

/// An observation at a line.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// When.
    pub time: EventTime,
    /// Where.
    pub pos: Point,
    /// Signed distance in metres.
    pub offset_m: f64,
}

/// A passage from clearly on one side to clearly on the other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crossing {
    /// Last frame on the near side; of one who lingered on the line, the last before any on the far side.
    pub from: EventTime,
    /// First frame on the far side; of one who lingered, the first clearly there.
    pub to: EventTime,
    /// Straight-line estimate between the two; of one who lingered, `to`.
    pub time: EventTime,
    /// Where on the line, at that time, in units of position.
    pub station: f64,
    /// Metres per unit of position, for this vehicle.
    pub unit_m: f64,
    /// How far beyond the ends of the line, in units of position; 0 between them.
    pub beyond: f64,
    /// From the left to the right of the line's points.
    pub rightward: bool,
    /// Way between the two frames, metres.
    pub step_m: f64,
}

/// One track at one line.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LineTrack {
    /// Side clearly reached: −1 left, 1 right, 0 none yet.
    clear: i8,
    /// Signed distance of the last observation, metres.
    last_m: Option<f64>,
    /// Apart, because hardly any track is between two sides.
    change: Option<Box<Change>>,
}

/// Changes of sign since a side was clearly reached, or stood on: the samples around the first and the last of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Change {
    first: (Sample, Sample),
    last: (Sample, Sample),
}

impl LineTrack {
    /// Observe; answers the crossing that this observation completes, of the
    /// line or of its continuation. `from` and `to` are the observation before and this one.
    #[inline]
    pub fn observe(&mut self, line: &Line, from: Waypoint, to: Waypoint, unit_m: f64) -> Option<Crossing> {
        let offset_m = line.offset(to.pos) * unit_m;
        let last_m = self.last_m.replace(offset_m);
        // Nearly every observation at nearly every line: clearly on the side where it was.
        let stays = offset_m * f64::from(self.clear) > DEAD_BAND_M && self.change.is_none();
        if stays { None } else { self.come(line, (from, last_m), (to, offset_m), unit_m) }
    }

    /// To an observation that is not clearly on the side of the one before.
    fn come(
        &mut self,
        line: &Line,
        (from, last_m): (Waypoint, Option<f64>),
        (to, offset_m): (Waypoint, f64),
        unit_m: f64,
    ) -> Option<Crossing> {
        let sample = |at: Waypoint, offset_m| Sample { time: at.time, pos: at.pos, offset_m };
        let here = sample(to, offset_m);
        if let Some(last_m) = last_m.filter(|last_m| (*last_m > 0.0) != (offset_m > 0.0)) {
            let last = (sample(from, last_m), here);
            let is_near = |m: f64| (m > 0.0) == (self.clear > 0);
            let stood = |c: &Change| is_near(last_m) && from.time > c.last.1.time.plus_seconds(LINGERS_S);
            let first = self.change.as_ref().filter(|c| !stood(c)).map_or(last, |c| c.first);
            self.change = Some(Box::new(Change { first, last }));
        }
        if offset_m.abs() <= DEAD_BAND_M {
            return None;
        }
        let side = if offset_m > 0.0 { 1 } else { -1 };
        let before = std::mem::replace(&mut self.clear, side);
        let change = self.change.take();
        if before != -side {
            return None;
        }
        let Change { first, last } = *change?;
        let lingered = here.time > first.1.time.plus_seconds(LINGERS_S);
        let (a, b) = if lingered { (first.0, here) } else { last };
        let share = if lingered { 1.0 } else { a.offset_m / (a.offset_m - b.offset_m) };
        let at = a.pos + (b.pos - a.pos).scale(share);
        let time = EventTime(a.time.0 + ((b.time.0 - a.time.0) as f64 * share).round() as i64);
        Some(Crossing {
            from: a.time,
            to: b.time,
            time,
            station: line.station(at),
            unit_m,
            beyond: line.beyond(at),
            rightward: side > 0,
            step_m: (b.pos - a.pos).length() * unit_m,
        })
    }

    /// Signed distance of the last observation, metres.
    pub fn offset_m(&self) -> Option<f64> {
        self.last_m
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line() -> Line {
        Line::new(Point { x: 0.0, y: 0.0 }, Point { x: 10.0, y: 0.0 }, Point { x: 3.0, y: 1.0 }).unwrap()
    }

    /// Crossings of a path with so long between two observations.
    fn crossings(path: &[Point], step_ns: i64) -> Vec<Crossing> {
        let mut track = LineTrack::default();
        let at = |i: usize| Waypoint { time: EventTime(i as i64 * step_ns), pos: path[i] };
        (0..path.len()).filter_map(|i| track.observe(&line(), at(i.saturating_sub(1)), at(i), 1.0)).collect()
    }

    fn walk(path: &[Point]) -> Vec<bool> {
        crossings(path, 40_000_000).iter().filter(|c| c.beyond == 0.0).map(|c| c.rightward).collect()
    }

    fn at(y: f64) -> Point {
        Point { x: 5.0, y }
    }

    #[test]
    fn a_trembling_vehicle_on_the_line_crosses_nothing() {
        let path: Vec<Point> = (0..200).map(|i| at(if i % 2 == 0 { 0.45 } else { -0.45 })).collect();
        assert!(walk(&path).is_empty());
    }

    #[test]
    fn creeping_over_the_line_crosses_once_at_the_last_change_of_sign() {
        let found = crossings(&[-2.0, -0.3, 0.2, -0.1, 0.3, 0.4, 0.9, 3.0].map(at), 100);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].from.0, found[0].to.0, found[0].time.0), (300, 400, 325));
    }

    #[test]
    fn who_stands_on_the_line_crosses_it_when_he_goes_on() {
        let stands = [0.2, -0.1, 0.3, 0.1, -0.2, 0.4].map(at);
        let path: Vec<Point> =
            [-2.0, -0.6, -0.2].map(at).into_iter().chain(stands).chain([1.2, 4.0].map(at)).collect();
        let found = crossings(&path, 250_000_000);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].from.0, found[0].to.0, found[0].time.0),
            (500_000_000, 2_250_000_000, 2_250_000_000)
        );
    }

    #[test]
    fn who_stands_before_the_line_crosses_it_at_the_last_change_of_sign() {
        let path: Vec<Point> = [-2.0, -0.3, 0.2, -0.1, -0.3, -0.2, -0.3, -0.2, -0.1, 0.3, 1.2].map(at).into();
        let found = crossings(&path, 250_000_000);
        assert_eq!(
            (found[0].from.0, found[0].to.0, found[0].time.0),
            (2_000_000_000, 2_250_000_000, 2_062_500_000)
        );
    }

    #[test]
    fn passing_beside_the_ends_is_no_crossing() {
        let beside: Vec<Point> = (-20..20).map(|i| Point { x: 10.5, y: f64::from(i) }).collect();
        assert!(walk(&beside).is_empty());
    }

    proptest! {
        #[test]
        fn reversing_a_path_reverses_its_crossings(ys in proptest::collection::vec(-3.0f64..3.0, 0..60)) {
            let path: Vec<Point> = ys.iter().map(|&y| at(y)).collect();
            let mut back: Vec<Point> = path.clone();
            back.reverse();
            let mut expected: Vec<bool> = walk(&path).into_iter().map(|r| !r).collect();
            expected.reverse();
            prop_assert_eq!(walk(&back), expected);
        }

        #[test]
        fn crossings_alternate(ys in proptest::collection::vec(-3.0f64..3.0, 0..60)) {
            let found = walk(&ys.iter().map(|&y| at(y)).collect::<Vec<_>>());
            prop_assert!(found.windows(2).all(|w| w[0] != w[1]));
        }
    }
}

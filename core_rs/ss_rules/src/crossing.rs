//! Crossing a line: once per passage, with the interval in which it happened.
//!
//! A side counts as reached only beyond a dead band, so that a vehicle that
//! stands on the line and trembles crosses nothing (a stopped car counted
//! fifteen times is a classic of the field). The instant is that of the last
//! change of sign before the far side was clearly reached; reversing a path
//! reverses its crossing.

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, Point};

/// Half the width of the dead band in metres. The foot point of a detected
/// box jumps by about half a metre.
pub const DEAD_BAND_M: f64 = 0.5;

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
    /// Last frame on the near side.
    pub from: EventTime,
    /// First frame on the far side.
    pub to: EventTime,
    /// Straight-line estimate between the two.
    pub time: EventTime,
    /// Where on the line, by the same estimate, in units of position.
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
    last: Option<Sample>,
    /// The two samples around the last change of sign.
    change: Option<(Sample, Sample)>,
}

impl LineTrack {
    /// Observe; answers the crossing that this observation completes, of the
    /// line or of its continuation.
    pub fn observe(&mut self, line: &Line, time: EventTime, pos: Point, unit_m: f64) -> Option<Crossing> {
        let sample = Sample { time, pos, offset_m: line.offset(pos) * unit_m };
        let last = self.last.replace(sample);
        self.change = match last {
            Some(last) if (last.offset_m > 0.0) != (sample.offset_m > 0.0) => Some((last, sample)),
            _ => self.change.take(),
        };
        if sample.offset_m.abs() <= DEAD_BAND_M {
            return None;
        }
        let side = if sample.offset_m > 0.0 { 1 } else { -1 };
        let before = std::mem::replace(&mut self.clear, side);
        let change = self.change.take();
        if before != -side {
            return None;
        }
        let (a, b) = change?;
        let share = a.offset_m / (a.offset_m - b.offset_m);
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

    /// The last observation.
    pub fn last(&self) -> Option<&Sample> {
        self.last.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line() -> Line {
        Line::new(Point { x: 0.0, y: 0.0 }, Point { x: 10.0, y: 0.0 }, Point { x: 3.0, y: 1.0 }).unwrap()
    }

    fn walk(path: &[Point]) -> Vec<bool> {
        let mut track = LineTrack::default();
        path.iter()
            .enumerate()
            .filter_map(|(i, &p)| track.observe(&line(), EventTime(i as i64 * 40_000_000), p, 1.0))
            .filter(|c| c.beyond == 0.0)
            .map(|c| c.rightward)
            .collect()
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
        let mut track = LineTrack::default();
        let offsets = [-2.0, -0.3, 0.2, -0.1, 0.3, 0.4, 0.9, 3.0];
        let found: Vec<Crossing> = offsets
            .iter()
            .enumerate()
            .filter_map(|(i, &y)| track.observe(&line(), EventTime(i as i64 * 100), at(y), 1.0))
            .collect();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].from.0, found[0].to.0, found[0].time.0), (300, 400, 325));
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

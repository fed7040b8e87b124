//! Where the lamps of a signal head are in the picture.

use serde::{Deserialize, Serialize};
use ss_model::{Error, Result};

/// Least side of a lamp in pixels: with chroma at half resolution that leaves
/// three by three samples, of which at least two lie in it whatever its place.
pub const LEAST_LAMP_PX: f64 = 6.0;

/// One lamp of a head, in the order of the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lamp {
    /// Stop.
    Red,
    /// Caution.
    Amber,
    /// Go.
    Green,
    /// It is there, but the camera does not see it.
    Hidden,
}

/// A head as the site file describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadConfig {
    /// Name of its zone.
    pub zone: String,
    /// Outline in normalised picture coordinates: four corners may lean with
    /// the mast, any other outline counts by its bounding box.
    pub polygon: Vec<[f64; 2]>,
    /// Signal groups it tells.
    pub groups: Vec<String>,
    /// Its lamps along its longer side, from the top or from the left.
    pub lamps: Vec<Lamp>,
    /// A green arrow beside a full head: lit, its groups may go; unlit, it says nothing.
    #[serde(default)]
    pub arrow: bool,
}

/// The place of one lamp in pixels: a parallelogram by its centre and two half
/// axes. The lamp is the ellipse in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Centre.
    pub centre: [f64; 2],
    /// Half a side across the head.
    pub across: [f64; 2],
    /// Half a side along it.
    pub along: [f64; 2],
}

impl Cell {
    /// The shorter side.
    pub fn least_px(&self) -> f64 {
        2.0 * length(self.across).min(length(self.along))
    }

    /// Whether the lamp covers a point.
    pub fn covers(&self, [x, y]: [f64; 2]) -> bool {
        let (dx, dy) = (x - self.centre[0], y - self.centre[1]);
        let area = cross(self.across, self.along);
        let (a, b) = (cross([dx, dy], self.along) / area, cross(self.across, [dx, dy]) / area);
        a * a + b * b <= 1.0
    }
}

impl HeadConfig {
    /// Refuse what is no head.
    ///
    /// # Errors
    /// `InvalidInput` naming the zone, what was found and what was expected.
    pub fn validate(&self) -> Result<()> {
        let bad = |what: &str| Err(Error::invalid(format!("signal head {}: {what}", self.zone)));
        let inside = |p: &[f64; 2]| p.iter().all(|v| (0.0..=1.0).contains(v));
        if self.polygon.len() < 3 || !self.polygon.iter().all(inside) {
            return bad("expected an outline of 3 or more corners inside the picture");
        }
        if self.groups.is_empty() {
            return bad("found no signal group, expected one that it tells");
        }
        let mut lamps = self.lamps.clone();
        lamps.retain(|&lamp| lamp != Lamp::Hidden);
        let twice = (1..lamps.len()).any(|i| lamps[..i].contains(&lamps[i]));
        if lamps.is_empty() || twice || self.lamps.len() > 4 {
            return bad("expected 1 to 4 lamps, each colour once and one that is not hidden");
        }
        if self.arrow && self.lamps != [Lamp::Green] {
            return bad("expected one green lamp in an arrow");
        }
        Ok(())
    }

    /// The places of its lamps in a picture of `width` by `height` pixels.
    pub fn cells(&self, (width, height): (usize, usize)) -> Vec<Cell> {
        let px: Vec<[f64; 2]> =
            self.polygon.iter().map(|p| [p[0] * width as f64, p[1] * height as f64]).collect();
        let [a, b, c, d] = corners(&px);
        // The two short sides are the ends: a–b the first, d–c the last.
        let n = self.lamps.len() as f64;
        let corner = |from: [f64; 2], to: [f64; 2], part: f64| {
            [from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part]
        };
        (0..self.lamps.len())
            .map(|i| {
                let (from, to) = (i as f64 / n, (i as f64 + 1.0) / n);
                let [tl, tr] = [corner(a, d, from), corner(b, c, from)];
                let [bl, br] = [corner(a, d, to), corner(b, c, to)];
                let quarter =
                    |f: fn(f64, f64, f64, f64) -> f64, i: usize| f(tl[i], tr[i], br[i], bl[i]) / 4.0;
                let point = |f: fn(f64, f64, f64, f64) -> f64| [quarter(f, 0), quarter(f, 1)];
                Cell {
                    centre: point(|tl, tr, br, bl| tl + tr + br + bl),
                    across: point(|tl, tr, br, bl| tr + br - tl - bl),
                    along: point(|tl, tr, br, bl| bl + br - tl - tr),
                }
            })
            .collect()
    }

    /// The shorter side of its smallest lamp in a picture of that size, pixels.
    pub fn least_px(&self, size: (usize, usize)) -> f64 {
        self.cells(size).iter().map(Cell::least_px).fold(f64::INFINITY, f64::min)
    }
}

/// The corners in order along the head: first end left and right (or top and
/// bottom), then the last end, back again.
fn corners(px: &[[f64; 2]]) -> [[f64; 2]; 4] {
    let quad: [[f64; 2]; 4] = px.try_into().unwrap_or_else(|_| {
        let fold = |i: usize, f: fn(f64, f64) -> f64, start: f64| px.iter().map(|p| p[i]).fold(start, f);
        let (x0, x1) = (fold(0, f64::min, f64::MAX), fold(0, f64::max, f64::MIN));
        let (y0, y1) = (fold(1, f64::min, f64::MAX), fold(1, f64::max, f64::MIN));
        [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
    });
    let side = |i: usize| length([quad[(i + 1) % 4][0] - quad[i][0], quad[(i + 1) % 4][1] - quad[i][1]]);
    // The ends are the pair of opposite sides that is shorter together.
    let end = usize::from(side(0) + side(2) > side(1) + side(3));
    let turned = |i: usize| quad[(end + i) % 4];
    let [a, b, c, d] = [turned(0), turned(1), turned(2), turned(3)];
    let middle = |p: [f64; 2], q: [f64; 2]| [p[0] + q[0], p[1] + q[1]];
    let (first, last) = (middle(a, b), middle(c, d));
    let upright = (last[1] - first[1]).abs() >= (last[0] - first[0]).abs();
    let backward = if upright { last[1] < first[1] } else { last[0] < first[0] };
    if backward { [c, d, a, b] } else { [a, b, c, d] }
}

fn length([x, y]: [f64; 2]) -> f64 {
    x.hypot(y)
}

fn cross(a: [f64; 2], b: [f64; 2]) -> f64 {
    a[0] * b[1] - a[1] * b[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(polygon: &[[f64; 2]], lamps: &[Lamp]) -> HeadConfig {
        HeadConfig {
            zone: "h".into(),
            polygon: polygon.to_vec(),
            groups: vec!["S".into()],
            lamps: lamps.to_vec(),
            arrow: false,
        }
    }

    const THREE: [Lamp; 3] = [Lamp::Red, Lamp::Amber, Lamp::Green];

    #[test]
    fn lamps_lie_from_the_top_whatever_corner_the_outline_begins_with() {
        let corners = [[0.1, 0.1], [0.2, 0.1], [0.2, 0.7], [0.1, 0.7]];
        for start in 0..4 {
            for backward in [false, true] {
                let mut outline: Vec<_> = (0..4).map(|i| corners[(start + i) % 4]).collect();
                if backward {
                    outline.reverse();
                }
                let cells = head(&outline, &THREE).cells((100, 100));
                let tops: Vec<f64> = cells.iter().map(|c| c.centre[1].round()).collect();
                assert_eq!(tops, [20.0, 40.0, 60.0], "{outline:?}");
                assert!((head(&outline, &THREE).least_px((100, 100)) - 10.0).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_lying_head_is_read_from_the_left_and_a_leaning_one_along_its_mast() {
        let lying = head(&[[0.7, 0.1], [0.1, 0.1], [0.1, 0.2], [0.7, 0.2]], &THREE).cells((100, 100));
        assert_eq!(lying.iter().map(|c| c.centre[0].round()).collect::<Vec<_>>(), [20.0, 40.0, 60.0]);
        let leaning = head(&[[0.2, 0.1], [0.3, 0.1], [0.2, 0.7], [0.1, 0.7]], &THREE).cells((100, 100));
        let xs: Vec<f64> = leaning.iter().map(|c| c.centre[0]).collect();
        assert!(xs[0] > xs[1] && xs[1] > xs[2], "{xs:?}");
    }

    #[test]
    fn a_lamp_is_the_ellipse_in_its_place() {
        let cell = head(&[[0.0, 0.0], [0.1, 0.0], [0.1, 0.1], [0.0, 0.1]], &[Lamp::Red]).cells((100, 100))[0];
        assert!(cell.covers([5.0, 5.0]) && cell.covers([9.0, 5.0]) && !cell.covers([9.0, 9.0]));
    }

    #[test]
    fn what_is_no_head_is_refused_by_name() {
        let square = [[0.0, 0.0], [0.1, 0.0], [0.1, 0.1], [0.0, 0.1]];
        let outside = head(&[[0.0, 0.0], [1.1, 0.0], [1.1, 0.1]], &THREE);
        let twice = head(&square, &[Lamp::Red, Lamp::Red]);
        let nothing = head(&square, &[Lamp::Hidden]);
        let arrow = HeadConfig { arrow: true, ..head(&square, &THREE) };
        for wrong in [outside, twice, nothing, arrow] {
            assert!(wrong.validate().unwrap_err().message.starts_with("signal head h: expected"));
        }
        assert!(head(&square, &THREE).validate().is_ok());
    }
}

//! Plane geometry in `f64`: points, segments, polygons, homographies.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A point or a vector; its space is in the name of the variable
/// (`foot_image` normalised, `foot_m` metres on the ground).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 2]", into = "[f64; 2]")]
pub struct Point {
    /// To the right in the picture.
    pub x: f64,
    /// Downwards in the picture.
    pub y: f64,
}

impl From<[f64; 2]> for Point {
    fn from([x, y]: [f64; 2]) -> Self {
        Self { x, y }
    }
}

impl From<Point> for [f64; 2] {
    fn from(p: Point) -> Self {
        [p.x, p.y]
    }
}

impl std::ops::Sub for Point {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        Self { x: self.x - o.x, y: self.y - o.y }
    }
}

impl std::ops::Add for Point {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        Self { x: self.x + o.x, y: self.y + o.y }
    }
}

impl Point {
    /// Scale as a vector.
    #[must_use]
    pub fn scale(self, k: f64) -> Self {
        Self { x: self.x * k, y: self.y * k }
    }

    /// Dot product.
    pub fn dot(self, o: Self) -> f64 {
        self.x * o.x + self.y * o.y
    }

    /// Z of the cross product; positive when `o` lies clockwise of `self` in
    /// picture coordinates (y down).
    pub fn cross(self, o: Self) -> f64 {
        self.x * o.y - self.y * o.x
    }

    /// Length as a vector. Metres and shares of a picture neither overflow nor vanish when squared, and a square
    /// root is the same on every machine, which `hypot` is not.
    pub fn length(self) -> f64 {
        self.dot(self).sqrt()
    }
}

/// A directed segment from `a` to `b`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Start.
    pub a: Point,
    /// End.
    pub b: Point,
}

impl Segment {
    /// Where `self` meets `o`: the fractions along each, or `None`.
    pub fn intersection(&self, o: &Self) -> Option<(f64, f64)> {
        let (d, e, w) = (self.b - self.a, o.b - o.a, o.a - self.a);
        let det = d.cross(e);
        if det == 0.0 {
            return None;
        }
        let (s, t) = (w.cross(e) / det, w.cross(d) / det);
        ((0.0..=1.0).contains(&s) && (0.0..=1.0).contains(&t)).then_some((s, t))
    }
}

/// A simple polygon; the last point joins the first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Polygon(pub Vec<Point>);

impl Polygon {
    /// Even-odd rule; points exactly on an edge belong to one side only, so
    /// adjoining polygons never both claim a point.
    pub fn contains(&self, p: Point) -> bool {
        let n = self.0.len();
        let mut inside = false;
        for i in 0..n {
            let (a, b) = (self.0[i], self.0[(i + n - 1) % n]);
            if (a.y > p.y) != (b.y > p.y) && p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x {
                inside = !inside;
            }
        }
        inside
    }
}

/// A projective map of the plane, row major.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Homography(pub [f64; 9]);

impl Homography {
    /// The map that best takes each `from[i]` to `to[i]` (direct linear
    /// transform on normalised points, least squares for more than four pairs).
    ///
    /// Source: Hartley & Zisserman, Multiple View Geometry, 2nd ed., 4.1 and 4.4.
    ///
    /// # Errors
    /// `InvalidInput` for fewer than four pairs or points that determine no map.
    pub fn fit(from: &[Point], to: &[Point]) -> Result<Self> {
        if from.len() != to.len() || from.len() < 4 {
            return Err(Error::invalid(format!(
                "calibration: expected at least 4 pairs of points, found {} and {}",
                from.len(),
                to.len()
            )));
        }
        let (tf, nf) = normalise(from)?;
        let (tt, nt) = normalise(to)?;
        // Normal equations of A h = b with h33 = 1: eight unknowns.
        let (mut ata, mut atb) = ([[0.0; 8]; 8], [0.0; 8]);
        for (p, q) in nf.iter().zip(&nt) {
            let rows = [
                ([p.x, p.y, 1.0, 0.0, 0.0, 0.0, -q.x * p.x, -q.x * p.y], q.x),
                ([0.0, 0.0, 0.0, p.x, p.y, 1.0, -q.y * p.x, -q.y * p.y], q.y),
            ];
            for (row, rhs) in rows {
                for i in 0..8 {
                    atb[i] += row[i] * rhs;
                    for j in 0..8 {
                        ata[i][j] += row[i] * row[j];
                    }
                }
            }
        }
        let h = solve(ata, atb)
            .ok_or_else(|| Error::invalid("calibration: the points determine no map (three on a line?)"))?;
        let h = Self([h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7], 1.0]);
        // to = Tt⁻¹ · H · Tf
        let (s, cx, cy) = tt;
        let inverse_tt = Self([1.0 / s, 0.0, cx, 0.0, 1.0 / s, cy, 0.0, 0.0, 1.0]);
        let (s, cx, cy) = tf;
        let forward_tf = Self([s, 0.0, -s * cx, 0.0, s, -s * cy, 0.0, 0.0, 1.0]);
        Ok(inverse_tt.after(&h).after(&forward_tf))
    }

    /// The map that applies `first`, then `self`.
    #[must_use]
    pub fn after(&self, first: &Self) -> Self {
        let (a, b) = (&self.0, &first.0);
        let mut out = [0.0; 9];
        for (i, v) in out.iter_mut().enumerate() {
            let (r, c) = (i / 3, i % 3);
            *v = a[3 * r] * b[c] + a[3 * r + 1] * b[3 + c] + a[3 * r + 2] * b[6 + c];
        }
        Self(out)
    }

    /// Where `p` goes. Points on the horizon go to infinity.
    pub fn apply(&self, p: Point) -> Point {
        let h = &self.0;
        let w = h[6] * p.x + h[7] * p.y + h[8];
        Point { x: (h[0] * p.x + h[1] * p.y + h[2]) / w, y: (h[3] * p.x + h[4] * p.y + h[5]) / w }
    }

    /// The map back; `None` when there is none.
    pub fn inverse(&self) -> Option<Self> {
        let h = &self.0;
        let c = |a: usize, b: usize, c: usize, d: usize| h[a] * h[d] - h[b] * h[c];
        let det = h[0] * c(4, 5, 7, 8) - h[1] * c(3, 5, 6, 8) + h[2] * c(3, 4, 6, 7);
        if det == 0.0 || !det.is_finite() {
            return None;
        }
        let m = [
            c(4, 5, 7, 8),
            -c(1, 2, 7, 8),
            c(1, 2, 4, 5),
            -c(3, 5, 6, 8),
            c(0, 2, 6, 8),
            -c(0, 2, 3, 5),
            c(3, 4, 6, 7),
            -c(0, 1, 6, 7),
            c(0, 1, 3, 4),
        ];
        Some(Self(m.map(|v| v / det)))
    }
}

/// Scale and centre that bring `points` to mean 0 and mean distance √2.
fn normalise(points: &[Point]) -> Result<((f64, f64, f64), Vec<Point>)> {
    let n = points.len() as f64;
    let (cx, cy) = (points.iter().map(|p| p.x).sum::<f64>() / n, points.iter().map(|p| p.y).sum::<f64>() / n);
    let spread = points.iter().map(|p| (p.x - cx).hypot(p.y - cy)).sum::<f64>() / n;
    if !(spread.is_finite() && spread > 0.0) {
        return Err(Error::invalid("calibration: all points are the same or not finite"));
    }
    let s = std::f64::consts::SQRT_2 / spread;
    Ok(((s, cx, cy), points.iter().map(|p| Point { x: s * (p.x - cx), y: s * (p.y - cy) }).collect()))
}

/// Gaussian elimination with partial pivoting; `None` when singular.
fn solve(mut a: [[f64; 8]; 8], mut b: [f64; 8]) -> Option<[f64; 8]> {
    for col in 0..8 {
        let pivot = (col..8).max_by(|&i, &j| a[i][col].abs().total_cmp(&a[j][col].abs()))?;
        if a[pivot][col].abs() < 1e-12 {
            return None;
        }
        a.swap(col, pivot);
        b.swap(col, pivot);
        let (pivot_row, pivot_rhs) = (a[col], b[col]);
        for row in 0..8 {
            if row != col {
                let k = a[row][col] / pivot_row[col];
                for c in col..8 {
                    a[row][c] -= k * pivot_row[c];
                }
                b[row] -= k * pivot_rhs;
            }
        }
    }
    Some(std::array::from_fn(|i| b[i] / a[i][i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(x: f64, y: f64) -> Point {
        Point { x, y }
    }

    #[test]
    fn homography_takes_the_pairs_and_back() {
        let image = [p(0.32, 0.64), p(0.63, 0.64), p(0.55, 0.31), p(0.22, 0.31), p(0.4, 0.5)];
        let truth = Homography([20.0, 3.0, 1.0, -2.0, 35.0, -4.0, 0.1, -0.8, 1.0]);
        let world: Vec<Point> = image.iter().map(|&q| truth.apply(q)).collect();
        let fitted = Homography::fit(&image, &world).unwrap();
        let back = fitted.inverse().unwrap();
        for (&i, &w) in image.iter().zip(&world) {
            assert!((fitted.apply(i) - w).length() < 1e-6);
            assert!((back.apply(w) - i).length() < 1e-9);
        }
    }

    #[test]
    fn points_on_a_line_are_refused() {
        let line: Vec<Point> = (0..5).map(|i| p(f64::from(i), f64::from(i))).collect();
        assert!(Homography::fit(&line, &line).is_err());
        assert!(Homography::fit(&line[..3], &line[..3]).is_err());
    }

    #[test]
    fn segments_meet_where_they_should() {
        let s = Segment { a: p(0.0, 0.0), b: p(2.0, 0.0) };
        assert_eq!(s.intersection(&Segment { a: p(1.0, -1.0), b: p(1.0, 3.0) }), Some((0.5, 0.25)));
        assert_eq!(s.intersection(&Segment { a: p(3.0, -1.0), b: p(3.0, 1.0) }), None);
    }

    #[test]
    fn adjoining_polygons_share_no_point() {
        let left = Polygon(vec![p(0.0, 0.0), p(1.0, 0.0), p(1.0, 1.0), p(0.0, 1.0)]);
        let right = Polygon(vec![p(1.0, 0.0), p(2.0, 0.0), p(2.0, 1.0), p(1.0, 1.0)]);
        let edge = p(1.0, 0.5);
        assert!(left.contains(edge) != right.contains(edge));
    }
}

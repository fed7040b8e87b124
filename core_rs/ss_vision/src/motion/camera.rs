//! The camera behind a ground homography: where things of a given size
//! appear in the picture.

use ss_model::{Homography, Point};

/// Pinhole camera over a flat ground, in pixels of the reduced picture.
///
/// A homography alone places feet on the ground; heights need the camera's
/// focal length and attitude too. They follow from it under the usual
/// assumptions of square pixels and a principal point in the centre.
///
/// Source: Zhang 2000, A Flexible New Technique for Camera Calibration, 3.1
/// (the two constraints on the image of the absolute conic of one view).
#[derive(Clone, Debug)]
pub(crate) struct Camera {
    ground_from_px: Homography,
    /// Columns of the 3×4 projection: ground x, ground y, up, origin.
    columns: [[f64; 3]; 4],
}

/// Box in pixels of the reduced picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Rect {
    pub x1: f32,
    pub y1: f32,
    pub x2: f32,
    pub y2: f32,
}

impl Rect {
    pub fn width(&self) -> f32 {
        self.x2 - self.x1
    }

    pub fn height(&self) -> f32 {
        self.y2 - self.y1
    }

    pub fn area(&self) -> f32 {
        self.width().max(0.0) * self.height().max(0.0)
    }

    pub fn centre_x(&self) -> f32 {
        0.5 * (self.x1 + self.x2)
    }

    /// The part shared with `o`; empty (area 0) when they are apart.
    pub fn intersect(&self, o: &Self) -> Self {
        Self { x1: self.x1.max(o.x1), y1: self.y1.max(o.y1), x2: self.x2.min(o.x2), y2: self.y2.min(o.y2) }
    }

    /// Every side moved outward by `margin`.
    pub fn grown_by(&self, margin: f32) -> Self {
        Self { x1: self.x1 - margin, y1: self.y1 - margin, x2: self.x2 + margin, y2: self.y2 + margin }
    }

    /// Shared area over joint area.
    pub fn iou(&self, o: &Self) -> f32 {
        let shared = self.intersect(o).area();
        if shared > 0.0 { shared / (self.area() + o.area() - shared) } else { 0.0 }
    }

    /// Columns and rows of the pixels inside, cut to a picture of `w`×`h`.
    pub fn pixels(&self, w: usize, h: usize) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        let range = |a: f32, b: f32, n: usize| {
            // To the nearest; `as` saturates, and NaN becomes 0.
            let nearest = |v: f32| ((v + 0.5) as i32).max(0) as usize;
            let start = nearest(a).min(n);
            start..nearest(b).clamp(start, n)
        };
        (range(self.x1, self.x2, w), range(self.y1, self.y2, h))
    }

    pub fn contains(&self, x: f32, y: f32) -> bool {
        self.x1 <= x && x < self.x2 && self.y1 <= y && y < self.y2
    }

    pub fn shifted(&self, dx: f32, dy: f32) -> Self {
        Self { x1: self.x1 + dx, y1: self.y1 + dy, x2: self.x2 + dx, y2: self.y2 + dy }
    }
}

impl Camera {
    /// The camera of a `width`×`height` picture whose normalised points
    /// `ground_from_image` takes to metres; `None` when no pinhole camera
    /// above the ground sees it that way.
    pub fn new(ground_from_image: &Homography, width: usize, height: usize) -> Option<Self> {
        let image_from_ground = ground_from_image.inverse()?;
        let (w, h) = (width as f64, height as f64);
        let g = image_from_ground.0;
        // Centred pixels from ground, column by column.
        let mut col =
            [0, 1, 2].map(|c| [w * (g[c] - 0.5 * g[c + 6]), h * (g[c + 3] - 0.5 * g[c + 6]), g[c + 6]]);
        let a = [col[0][0] * col[1][0] + col[0][1] * col[1][1], norm2(col[0]) - norm2(col[1])];
        let b = [col[0][2] * col[1][2], col[0][2].powi(2) - col[1][2].powi(2)];
        let inverse_f2 = -(a[0] * b[0] + a[1] * b[1]) / (a[0] * a[0] + a[1] * a[1]);
        if !(inverse_f2.is_finite() && inverse_f2 > 0.0) {
            return None;
        }
        let f = inverse_f2.sqrt().recip();
        // The sign of a homography is free: what the picture's lower middle shows must lie in front.
        let seen = ground_from_image.apply(Point { x: 0.5, y: 0.9 });
        if col[0][2] * seen.x + col[1][2] * seen.y + col[2][2] < 0.0 {
            col = col.map(|c| c.map(|v| -v));
        }
        let ray = |c: [f64; 3]| [c[0] / f, c[1] / f, c[2]];
        let (r1, r2, t) = (ray(col[0]), ray(col[1]), ray(col[2]));
        let length = (dot(r1, r1) * dot(r2, r2)).sqrt().sqrt();
        let mut up =
            [r1[1] * r2[2] - r1[2] * r2[1], r1[2] * r2[0] - r1[0] * r2[2], r1[0] * r2[1] - r1[1] * r2[0]]
                .map(|v| v / length);
        // Ground axes may be left-handed; the camera hangs above the ground.
        if dot(up, t) > 0.0 {
            up = up.map(|v| -v);
        }
        let pixels = |c: [f64; 3]| [c[0] + 0.5 * w * c[2], c[1] + 0.5 * h * c[2], c[2]];
        let columns = [pixels(col[0]), pixels(col[1]), pixels([up[0] * f, up[1] * f, up[2]]), pixels(col[2])];
        let scale = Homography([1.0 / w, 0.0, 0.0, 0.0, 1.0 / h, 0.0, 0.0, 0.0, 1.0]);
        Some(Self { ground_from_px: ground_from_image.after(&scale), columns })
    }

    /// Where the ground is seen at pixel `(x, y)`, in metres; `None` at and
    /// above the horizon.
    pub fn ground(&self, x: f32, y: f32) -> Option<Point> {
        let p = self.ground_from_px.apply(Point { x: f64::from(x), y: f64::from(y) });
        (p.x.is_finite() && p.y.is_finite() && self.depth(p, 0.0) > 0.0).then_some(p)
    }

    /// Pixel of the point `up` metres above ground point `p`.
    pub fn project(&self, p: Point, up: f64) -> Option<(f32, f32)> {
        let at = |i: usize| {
            self.columns[0][i] * p.x + self.columns[1][i] * p.y + self.columns[2][i] * up + self.columns[3][i]
        };
        let (x, y, w) = (at(0), at(1), at(2));
        (w > 0.0).then(|| ((x / w) as f32, (y / w) as f32))
    }

    /// Pixels per metre of height at the ground point seen at `(x, y)`.
    pub fn metre(&self, x: f32, y: f32) -> Option<f64> {
        let (_, top) = self.project(self.ground(x, y)?, 1.0)?;
        let pixels = f64::from(y - top);
        (pixels.is_finite() && pixels > 0.0).then_some(pixels)
    }

    /// What stands with its foot at pixel `(x, y)`; `None` at and above the horizon.
    pub fn stand(&self, x: f32, y: f32) -> Option<Stand> {
        let foot = self.ground(x, y)?;
        // Ground direction of the line of sight: what lies one pixel higher up.
        let ahead = self.ground(x, y - 1.0)? - foot;
        let unit = ahead.scale((ahead.x * ahead.x + ahead.y * ahead.y).sqrt().recip());
        let [east, north, up, origin] = &self.columns;
        let mix = |a: f64, b: f64| {
            [a * east[0] + b * north[0], a * east[1] + b * north[1], a * east[2] + b * north[2]]
        };
        let f = mix(foot.x, foot.y);
        Some(Stand {
            foot: [f[0] + origin[0], f[1] + origin[1], f[2] + origin[2]],
            ahead: mix(unit.x, unit.y),
            side: mix(-unit.y, unit.x),
            up: *up,
        })
    }

    fn depth(&self, p: Point, up: f64) -> f64 {
        self.columns[0][2] * p.x + self.columns[1][2] * p.y + self.columns[2][2] * up + self.columns[3][2]
    }
}

/// A place on the ground, as the camera sees it: homogeneous pixels of the
/// place, and what one metre away from the camera, aside and up adds to them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stand {
    foot: [f64; 3],
    ahead: [f64; 3],
    side: [f64; 3],
    up: [f64; 3],
}

impl Stand {
    /// Size in pixels of the box around a cuboid of `length`×`width`×`height`
    /// metres that stands here, its length along the line of sight or across it.
    pub fn box_of(&self, [length, width, height]: [f64; 3], along: bool) -> Option<(f32, f32)> {
        let (deep, wide) = if along { (length, width) } else { (width, length) };
        let (half, mut low, mut high) = (0.5 * wide, [f64::MAX; 2], [f64::MIN; 2]);
        let mut nearest = f64::MAX;
        for (ahead, side, up) in [
            (0.0, half, 0.0),
            (0.0, half, height),
            (0.0, -half, 0.0),
            (0.0, -half, height),
            (deep, half, 0.0),
            (deep, half, height),
            (deep, -half, 0.0),
            (deep, -half, height),
        ] {
            let at = |i: usize| self.foot[i] + ahead * self.ahead[i] + side * self.side[i] + up * self.up[i];
            let (w, k) = (at(2), at(2).recip());
            let (x, y) = (at(0) * k, at(1) * k);
            nearest = nearest.min(w);
            low = [low[0].min(x), low[1].min(y)];
            high = [high[0].max(x), high[1].max(y)];
        }
        let size = ((high[0] - low[0]) as f32, (high[1] - low[1]) as f32);
        (nearest > 0.0 && size.0.is_finite() && size.1.is_finite()).then_some(size)
    }
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Square of the picture part of a column.
fn norm2(c: [f64; 3]) -> f64 {
    c[0] * c[0] + c[1] * c[1]
}

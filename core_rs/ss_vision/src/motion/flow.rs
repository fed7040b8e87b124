//! Where a patch of the previous picture has gone.
//!
//! In a queue the foreground is one solid region that says nothing about who
//! is where; the pictures still do. Each tracked road user is followed by
//! the texture of its visible foreground pixels.

use super::camera::Rect;
use super::reduce::Plane;

/// Differences beyond this many levels count alike: an occluder or a lamp
/// must not outvote the rest of the patch.
const TRUNCATE: u32 = 40;
/// Mean difference per pixel up to which a patch is said to stand still:
/// noise of the reduced picture.
const STILL: u32 = 2;
/// Points taken from one patch at most, on a regular grid.
const POINTS: f32 = 220.0;
/// Fewer visible points than this say nothing.
const MIN_POINTS: usize = 10;
/// Steps of the descent; each moves by one pixel.
const STEPS: usize = 16;

/// Points of a patch in the previous picture.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patch {
    points: Vec<(i32, i32, u8)>,
}

/// A patch found again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Motion {
    /// Displacement in pixels, to a fraction of one.
    pub dx: f32,
    pub dy: f32,
    /// Mean truncated difference per point.
    pub residual: f32,
}

impl Motion {
    /// Has not moved.
    pub const NONE: Self = Self { dx: 0.0, dy: 0.0, residual: 0.0 };
}

impl Patch {
    /// Take the foreground points of `rect` that `hidden` does not exclude.
    pub fn take(&mut self, picture: &Plane, mask: &Plane, rect: &Rect, hidden: impl Fn(f32, f32) -> bool) {
        self.points.clear();
        let step = (rect.area() / POINTS).sqrt().ceil().max(1.0) as usize;
        let (xs, ys) = rect.pixels(picture.width, picture.height);
        for y in ys.step_by(step) {
            for x in xs.clone().step_by(step) {
                if mask.row(y)[x] != 0 && !hidden(x as f32, y as f32) {
                    self.points.push((x as i32, y as i32, picture.row(y)[x]));
                }
            }
        }
    }

    /// The displacement that makes `picture` look most like the patch, near
    /// `expected`; within `reach` pixels of it when nothing is expected.
    /// `None` when too little of the patch is visible.
    pub fn find(&self, picture: &Plane, expected: Option<(f32, f32)>, reach: i32) -> Option<Motion> {
        let n = self.points.len();
        if n < MIN_POINTS {
            return None;
        }
        let still = self.cost(picture, 0, 0);
        if still <= STILL * n as u32 {
            return Some(Motion { dx: 0.0, dy: 0.0, residual: still as f32 / n as f32 });
        }
        let (mut best, mut at) = (still, (0, 0));
        if let Some((ex, ey)) = expected {
            let start = (ex.round() as i32, ey.round() as i32);
            let cost = self.cost(picture, start.0, start.1);
            if cost < best {
                (best, at) = (cost, start);
            }
        } else {
            for dy in -reach..=reach {
                for dx in -reach..=reach {
                    let cost = self.cost(picture, dx, dy);
                    if cost < best {
                        (best, at) = (cost, (dx, dy));
                    }
                }
            }
        }
        for _ in 0..STEPS {
            let centre = at;
            for (sx, sy) in [(-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, -1), (-1, 1), (1, 1)] {
                let cost = self.cost(picture, centre.0 + sx, centre.1 + sy);
                if cost < best {
                    (best, at) = (cost, (centre.0 + sx, centre.1 + sy));
                }
            }
            if at == centre {
                break;
            }
        }
        let (x, y) = at;
        let fraction = |before: u32, after: u32| {
            let (before, after, here) = (before as f32, after as f32, best as f32);
            let bend = before + after - 2.0 * here;
            if bend > 0.0 { (0.5 * (before - after) / bend).clamp(-0.5, 0.5) } else { 0.0 }
        };
        Some(Motion {
            dx: x as f32 + fraction(self.cost(picture, x - 1, y), self.cost(picture, x + 1, y)),
            dy: y as f32 + fraction(self.cost(picture, x, y - 1), self.cost(picture, x, y + 1)),
            residual: best as f32 / n as f32,
        })
    }

    fn cost(&self, picture: &Plane, dx: i32, dy: i32) -> u32 {
        let (w, h) = (picture.width as i32, picture.height as i32);
        self.points
            .iter()
            .map(|&(x, y, value)| {
                let (x, y) = ((x + dx).clamp(0, w - 1), (y + dy).clamp(0, h - 1));
                u32::from(picture.data[(y * w + x) as usize].abs_diff(value)).min(TRUNCATE)
            })
            .sum()
    }
}

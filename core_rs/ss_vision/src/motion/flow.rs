//! Where a patch of the previous picture has gone.
//!
//! In a queue the foreground is one solid region that says nothing about who
//! is where; the pictures still do. Each tracked road user is followed by
//! the texture of its visible foreground pixels.

use std::ops::Range;

use super::bits::{Bits, is_in};
use super::camera::Rect;
use super::plane::Plane;

/// Differences beyond this many levels count alike: an occluder or a lamp
/// must not outvote the rest of the patch.
const TRUNCATE: u8 = 40;
/// Mean difference per pixel up to which a patch is said to stand still:
/// noise of the reduced picture.
const STILL: u32 = 2;
/// Points taken from one patch at most, on a regular grid.
const POINTS: f32 = 220.0;
/// Fewer visible points than this say nothing.
const MIN_POINTS: usize = 10;
/// Steps of the descent; each moves by one pixel.
const STEPS: usize = 16;
/// Points whose truncated differences together fit 16 bits.
const SUMMED: usize = u16::MAX as usize / TRUNCATE as usize;

/// Points of a patch in the previous picture; buffers are kept between patches.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patch {
    /// Columns and rows of the picture that hold them all.
    xs: Range<usize>,
    ys: Range<usize>,
    /// Of each point: its place among the pixels of the picture, counted from the first of those columns and
    /// rows, and its level.
    places: Vec<u32>,
    levels: Vec<u8>,
    /// Levels of the picture that the patch is held against.
    there: Vec<u8>,
    /// Costs by displacement: the descent comes by most places more than once.
    known: Vec<((i32, i32), u32)>,
    arch: pulp::Arch,
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
    /// Take the foreground points of `rect` that lie in none of `hidden`.
    pub fn take(&mut self, picture: &Plane, mask: &Bits, rect: &Rect, hidden: &[Rect]) {
        let step = (rect.area() / POINTS).sqrt().ceil().max(1.0) as usize;
        let (xs, ys) = rect.pixels(picture.width, picture.height);
        let most = xs.len().div_ceil(step) * ys.len().div_ceil(step);
        self.places.resize(most, 0);
        self.levels.resize(most, 0);
        let mut taken = 0;
        for y in ys.clone().step_by(step) {
            let (levels, set) = (picture.row(y), mask.row(y));
            let first = (y - ys.start) * picture.width;
            for x in xs.clone().step_by(step) {
                let is_hidden = hidden.iter().any(|r| r.contains(x as f32, y as f32));
                // Every point is written, and those that do not count are written over: no branch to guess.
                self.places[taken] = (first + x - xs.start) as u32;
                self.levels[taken] = levels[x];
                taken += is_in(set, x) & usize::from(!is_hidden);
            }
        }
        self.places.truncate(taken);
        self.levels.truncate(taken);
        self.there.resize(taken, 0);
        (self.xs, self.ys) = (xs, ys);
    }

    /// The displacement that makes `picture` look most like the patch, near
    /// `expected`; within `reach` pixels of it when nothing is expected.
    /// `None` when too little of the patch is visible.
    pub fn find(&mut self, picture: &Plane, expected: Option<(f32, f32)>, reach: i32) -> Option<Motion> {
        let n = self.levels.len();
        if n < MIN_POINTS {
            return None;
        }
        self.known.clear();
        let still = self.known_cost(picture, (0, 0));
        if still <= STILL * n as u32 {
            return Some(Motion { dx: 0.0, dy: 0.0, residual: still as f32 / n as f32 });
        }
        let (mut best, mut at) = (still, (0, 0));
        if let Some((ex, ey)) = expected {
            let start = (ex.round() as i32, ey.round() as i32);
            let cost = self.known_cost(picture, start);
            if cost < best {
                (best, at) = (cost, start);
            }
        } else {
            for dy in -reach..=reach {
                for dx in -reach..=reach {
                    let cost = self.cost(picture, (dx, dy));
                    if cost < best {
                        (best, at) = (cost, (dx, dy));
                    }
                }
            }
        }
        for _ in 0..STEPS {
            let centre = at;
            for (sx, sy) in [(-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, -1), (-1, 1), (1, 1)] {
                let to = (centre.0 + sx, centre.1 + sy);
                let cost = self.known_cost(picture, to);
                if cost < best {
                    (best, at) = (cost, to);
                }
            }
            if at == centre {
                break;
            }
        }
        let (x, y) = at;
        let mut fraction = |before: (i32, i32), after: (i32, i32)| {
            let [before, after] = [before, after].map(|to| self.known_cost(picture, to) as f32);
            let bend = before + after - 2.0 * best as f32;
            if bend > 0.0 { (0.5 * (before - after) / bend).clamp(-0.5, 0.5) } else { 0.0 }
        };
        Some(Motion {
            dx: x as f32 + fraction((x - 1, y), (x + 1, y)),
            dy: y as f32 + fraction((x, y - 1), (x, y + 1)),
            residual: best as f32 / n as f32,
        })
    }

    /// [`Patch::cost`], each computed once for a search.
    fn known_cost(&mut self, picture: &Plane, to: (i32, i32)) -> u32 {
        if let Some(&(_, cost)) = self.known.iter().find(|(at, _)| *at == to) {
            return cost;
        }
        let cost = self.cost(picture, to);
        self.known.push((to, cost));
        cost
    }

    /// Sum of the truncated differences between the patch and what `picture`
    /// shows so many pixels to the right and down; beyond its rim lies what is on it.
    fn cost(&mut self, picture: &Plane, (dx, dy): (i32, i32)) -> u32 {
        let moved = |range: &Range<usize>, by: i32| range.start as i32 + by..range.end as i32 + by;
        let (xs, ys) = (moved(&self.xs, dx), moved(&self.ys, dy));
        let (w, h) = (picture.width as i32, picture.height as i32);
        let points = self.there.iter_mut().zip(&self.places);
        if xs.start >= 0 && ys.start >= 0 && xs.end <= w && ys.end <= h {
            let part = &picture.data[(ys.start * w + xs.start) as usize..];
            points.for_each(|(there, &place)| *there = part[place as usize]);
        } else {
            for (there, &place) in points {
                let (x, y) = (xs.start + place as i32 % w, ys.start + place as i32 / w);
                *there = picture.row(y.clamp(0, h - 1) as usize)[x.clamp(0, w - 1) as usize];
            }
        }
        let parts = self.there.chunks(SUMMED).zip(self.levels.chunks(SUMMED));
        parts.map(|(there, levels)| u32::from(self.arch.dispatch(Differ { there, levels }))).sum()
    }
}

/// Sum of truncated differences of at most [`SUMMED`] levels.
struct Differ<'a> {
    there: &'a [u8],
    levels: &'a [u8],
}

impl pulp::NullaryFnOnce for Differ<'_> {
    type Output = u16;

    #[inline(always)]
    #[allow(clippy::inline_always)] // the very point
    fn call(self) -> u16 {
        self.there.iter().zip(self.levels).map(|(a, &b)| u16::from(a.abs_diff(b).min(TRUNCATE))).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const W: usize = 48;
    const H: usize = 40;

    fn plane(seed: u64, levels: u64) -> Plane {
        let mut n = seed;
        let mut next = || {
            n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((n >> 40) % levels) as u8
        };
        Plane { width: W, height: H, data: (0..W * H).map(|_| next()).collect() }
    }

    proptest! {
        #[test]
        fn a_cost_is_the_sum_over_the_visible_points(
            seed: u64, at in (-6f32..40.0, -6f32..34.0), size in (1f32..44.0, 1f32..36.0),
            other in (-6f32..40.0, -6f32..34.0, 1f32..20.0), by in (-50i32..50, -50i32..50),
        ) {
            let (before, now, mask) = (plane(seed, 256), plane(seed ^ 1, 256), plane(seed ^ 2, 2));
            let rect = Rect { x1: at.0, y1: at.1, x2: at.0 + size.0, y2: at.1 + size.1 };
            let hidden = [Rect { x1: other.0, y1: other.1, x2: other.0 + other.2, y2: other.1 + other.2 }];
            let (mut patch, mut set) = (Patch::default(), Bits::default());
            set.mark(&mask, 1);
            patch.take(&before, &set, &rect, &hidden);
            let step = (rect.area() / POINTS).sqrt().ceil().max(1.0) as usize;
            let (xs, ys) = rect.pixels(W, H);
            let (mut sum, mut points) = (0, 0);
            for y in ys.step_by(step) {
                for x in xs.clone().step_by(step) {
                    if mask.row(y)[x] == 0 || hidden[0].contains(x as f32, y as f32) {
                        continue;
                    }
                    let there = ((x as i32 + by.0).clamp(0, W as i32 - 1), (y as i32 + by.1).clamp(0, H as i32 - 1));
                    let level = now.row(there.1 as usize)[there.0 as usize];
                    sum += u32::from(level.abs_diff(before.row(y)[x]).min(TRUNCATE));
                    points += 1;
                }
            }
            prop_assert_eq!(patch.levels.len(), points);
            prop_assert_eq!(patch.cost(&now, by), sum);
        }
    }

    #[test]
    fn a_patch_that_has_moved_is_found() {
        let before = plane(7, 200);
        let mut now = before.clone();
        for y in 4..H {
            now.row_mut(y)[3..].copy_from_slice(&before.row(y - 4)[..W - 3]);
        }
        let (mut mask, rect) = (Bits::new(W, H), Rect { x1: 10.0, y1: 8.0, x2: 26.0, y2: 20.0 });
        (0..H).for_each(|y| mask.fill(y, &(0..W)));
        let mut patch = Patch::default();
        patch.take(&before, &mask, &rect, &[]);
        for expected in [None, Some((2.0, 4.0))] {
            let found = patch.find(&now, expected, 6).unwrap();
            assert!((found.dx - 3.0).abs() < 0.5 && (found.dy - 4.0).abs() < 0.5, "{found:?}");
            assert_eq!(found.residual, 0.0);
        }
    }
}

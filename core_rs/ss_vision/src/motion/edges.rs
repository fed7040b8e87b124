//! The edges of a followed box, pulled towards where its foreground ends.

use std::ops::Range;

use super::bits::{self, Packer, pixels, words_of};
use super::camera::Rect;
use super::mask::Mask;
use super::plane::Plane;

/// Share of an edge strip that must be foreground to belong to the target.
const EDGE_FILL: f32 = 0.35;
/// Share of the way to the observed edge taken per frame: averages over about
/// three frames, so single noisy outlines do not move the foot.
const EDGE_GAIN: f32 = 0.3;
/// Most pixels to either side of an edge that are looked at, and the strips that makes.
const REACH: f32 = 6.0;
const STRIPS: usize = 16;

/// What is known of the pixels about a target: the foreground, and by whose number each is owned, 0 for nobody.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub mask: &'a Mask,
    pub owner: &'a Plane,
    /// Of the target.
    pub number: u8,
    pub packer: Packer,
}

impl Seen<'_> {
    /// Which of word `k` of row `y`, in columns `xs`, the target owns, or nobody if that is as `free`.
    #[inline(always)]
    #[allow(clippy::inline_always)] // must become part of the dispatched functions
    pub fn own(&self, y: usize, k: usize, xs: &Range<usize>, free: bool) -> u64 {
        let mut owners = pixels(self.owner.row(y), k);
        for owner in &mut owners {
            *owner = u8::from(*owner == self.number) | u8::from(free) & u8::from(*owner == 0);
        }
        self.packer.pack(&owners, 1) & bits::within(xs, k)
    }
}

/// Pixels of a strip that are visible, and of those the foreground.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Strip {
    seen: u16,
    set: u16,
}

impl Strip {
    /// Foreground share; `None` when less than half of `all` is visible.
    fn fill(self, all: usize) -> Option<f32> {
        (self.seen > 0 && 2 * usize::from(self.seen) >= all)
            .then(|| f32::from(self.set) / f32::from(self.seen))
    }
}

/// Pull each edge of `rect` towards where the foreground ends, if it shows.
pub(crate) fn lock_edges(rect: &mut Rect, seen: &Seen, arch: pulp::Arch) {
    let (w, h) = (rect.width(), rect.height());
    let columns = (rect.x1 + 0.2 * w).round() as i32..(rect.x2 - 0.2 * w).round() as i32;
    let rows = (rect.y1 + 0.2 * h).round() as i32..(rect.y2 - 0.1 * h).round() as i32;
    let (rx, ry) = ((0.15 * w).clamp(2.0, REACH) as i32, (0.15 * h).clamp(2.0, REACH) as i32);
    // Shade beside it may be a part of it; below it is its shadow.
    let row = |y: i32| arch.dispatch(Row { seen, y, columns: &columns, is_foot: false }).fill(columns.len());
    let foot = |y: i32| arch.dispatch(Row { seen, y, columns: &columns, is_foot: true }).fill(columns.len());
    let beside = |edge: f32, outward: i32| {
        let first = inside(edge, outward) - rx;
        let strips = arch.dispatch(Columns { seen, first, rows: &rows });
        let strip = |x: i32| strips[(x - first) as usize].fill(rows.len());
        pulled(edge, rx, outward, strip)
    };
    *rect = Rect {
        x1: beside(rect.x1, -1),
        y1: pulled(rect.y1, ry, -1, row),
        x2: beside(rect.x2, 1),
        y2: pulled(rect.y2, ry, 1, foot),
    };
}

/// The edge after a step towards where its strips say that the foreground ends.
fn pulled(edge: f32, reach: i32, outward: i32, strip: impl Fn(i32) -> Option<f32>) -> f32 {
    edge_at(edge, reach, outward, strip).map_or(edge, |observed| edge + EDGE_GAIN * (observed - edge))
}

/// Walk outward over an edge and return where the foreground ends; `None`
/// when the way is hidden or the foreground does not end within reach.
fn edge_at(edge: f32, reach: i32, outward: i32, strip: impl Fn(i32) -> Option<f32>) -> Option<f32> {
    for step in -reach..=reach {
        let at = inside(edge, outward) + outward * step;
        if strip(at)? < EDGE_FILL {
            return Some(if outward > 0 { at as f32 } else { (at + 1) as f32 });
        }
    }
    None
}

/// Pixel just inside an edge: edges are pixel boundaries.
fn inside(edge: f32, outward: i32) -> i32 {
    edge.round() as i32 + if outward > 0 { -1 } else { 0 }
}

/// What of `range` lies among the first `n`.
fn within(range: &Range<i32>, n: usize) -> Range<usize> {
    let start = range.start.clamp(0, n as i32);
    start as usize..range.end.clamp(start, n as i32) as usize
}

/// The part of row `y` in `columns`.
struct Row<'a> {
    seen: &'a Seen<'a>,
    y: i32,
    columns: &'a Range<i32>,
    is_foot: bool,
}

impl pulp::NullaryFnOnce for Row<'_> {
    type Output = Strip;

    #[inline(always)]
    #[allow(clippy::inline_always)] // the very point
    fn call(self) -> Strip {
        let mask = self.seen.mask;
        let mut strip = Strip::default();
        if self.y < 0 || self.y >= mask.height as i32 {
            return strip;
        }
        let (y, xs) = (self.y as usize, within(self.columns, mask.width));
        let (set, shade) = (mask.set.row(y), mask.shade.row(y));
        for k in words_of(&xs) {
            let (mine, hides) = (self.seen.own(y, k, &xs, true), if self.is_foot { 0 } else { shade[k] });
            strip.seen += (mine & !hides).count_ones() as u16;
            strip.set += (mine & set[k] & !shade[k]).count_ones() as u16;
        }
        strip
    }
}

/// The parts in `rows` of [`STRIPS`] columns from `first` on: side by side, so that a row of all is one load.
struct Columns<'a> {
    seen: &'a Seen<'a>,
    first: i32,
    rows: &'a Range<i32>,
}

impl pulp::NullaryFnOnce for Columns<'_> {
    type Output = [Strip; STRIPS];

    #[inline(always)]
    #[allow(clippy::inline_always)] // the very point
    fn call(self) -> [Strip; STRIPS] {
        let Seen { mask, owner, number, .. } = *self.seen;
        let xs = within(&(self.first..self.first + STRIPS as i32), mask.width);
        let (mut seen, mut set) = ([0; STRIPS], [0; STRIPS]);
        for y in within(self.rows, mask.height) {
            let row = &owner.row(y)[xs.clone()];
            let owners: [u8; STRIPS] = row.first_chunk().copied().unwrap_or_else(|| {
                let mut owners = [0; STRIPS];
                owners[..xs.len()].copy_from_slice(row);
                owners
            });
            // Shade beside it may be a part of it, and says nothing.
            let lit = !mask.shade.from(y, xs.start);
            let (lit, shown) = (lit as u16, (lit & mask.set.from(y, xs.start)) as u16);
            for i in 0..STRIPS {
                let mine = u16::from(owners[i] == 0) | u16::from(owners[i] == number);
                seen[i] = (mine & (lit >> i)).wrapping_add(seen[i]);
                set[i] = (mine & (shown >> i)).wrapping_add(set[i]);
            }
        }
        let before = xs.start as i32 - self.first;
        std::array::from_fn(|i| {
            let in_picture = (i as i32 - before) as usize;
            if in_picture < xs.len() {
                Strip { seen: seen[in_picture], set: set[in_picture] }
            } else {
                Strip::default()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::mask::label;
    use super::*;
    use proptest::prelude::*;

    /// Pixel by pixel.
    fn plain(seen: &Seen, labels: &Plane, (xs, ys): (&Range<i32>, &Range<i32>), is_foot: bool) -> Strip {
        let mut strip = Strip::default();
        for (x, y) in ys.clone().flat_map(|y| xs.clone().map(move |x| (x, y))) {
            if x < 0 || y < 0 || x >= seen.mask.width as i32 || y >= seen.mask.height as i32 {
                continue;
            }
            let (x, y) = (x as usize, y as usize);
            let foreground = match (seen.owner.row(y)[x], labels.row(y)[x]) {
                (whose, _) if whose != 0 && whose != seen.number => None,
                (_, label::SHADOW) => is_foot.then_some(false),
                (_, pixel) => Some(pixel != label::STREET),
            };
            strip.seen += u16::from(foreground.is_some());
            strip.set += u16::from(foreground == Some(true));
        }
        strip
    }

    proptest! {
        #[test]
        fn strips_count_what_their_pixels_say(
            (width, mask, owner) in (1usize..40).prop_flat_map(|w| (
                Just(w),
                prop::collection::vec(prop::sample::select(vec![0u8, 1, 2, 4]), w * 12),
                prop::collection::vec(0u8..3, w * 12),
            )),
            (x, y, n) in (-20i32..50, -5i32..16, 0i32..50),
        ) {
            let (labels, owner) = (Plane { width, height: 12, data: mask }, Plane { width, height: 12, data: owner });
            let (mask, packer) = (Mask::from(labels.clone()), Packer::new());
            let (seen, arch) = (Seen { mask: &mask, owner: &owner, number: 2, packer }, pulp::Arch::new());
            for is_foot in [false, true] {
                let row = arch.dispatch(Row { seen: &seen, y, columns: &(x..x + n), is_foot });
                prop_assert_eq!(row, plain(&seen, &labels, (&(x..x + n), &(y..y + 1)), is_foot));
            }
            let strips = arch.dispatch(Columns { seen: &seen, first: x, rows: &(y..y + n) });
            for (at, strip) in (x..).zip(strips) {
                prop_assert_eq!(strip, plain(&seen, &labels, (&(at..at + 1), &(y..y + n)), false));
            }
        }
    }
}

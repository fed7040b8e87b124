//! The pixels of one region, and how many of each kind lie in any box of it.
//!
//! A summed-area table (Crow 1984) answers for the region as it was; what has
//! been removed since is remembered box by box with a table of its own and
//! taken off. Filling the table anew after each removal costs several times that.

use std::ops::Range;

use super::camera::Rect;
use super::mask::label;

/// Mark of a hidden pixel in the window; none of the labels.
pub(crate) const HIDDEN: u8 = 8;

/// Pixels of a box by what they show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub foreground: u32,
    pub moving: u32,
    /// Covered by a tracked road user, or removed.
    pub hidden: u32,
    /// Shadow, or something as dark.
    pub shade: u32,
}

impl Count {
    fn of(packed: u64) -> Self {
        let part = |from: u64| (packed / from) as u32 & u32::from(u16::MAX);
        Self {
            foreground: part(packed::FOREGROUND),
            moving: part(packed::MOVING),
            hidden: part(packed::HIDDEN),
            shade: part(packed::SHADE),
        }
    }

    /// The sum of two.
    fn and(self, other: Self) -> Self {
        Self {
            foreground: self.foreground + other.foreground,
            moving: self.moving + other.moving,
            hidden: self.hidden + other.hidden,
            shade: self.shade + other.shade,
        }
    }

    /// Take off what has been `lost`: it is hidden now.
    pub fn lose(&mut self, lost: Self) {
        self.foreground -= lost.foreground;
        self.moving -= lost.moving;
        self.shade -= lost.shade;
        self.hidden += lost.hidden;
    }
}

/// The four counts of at most [`MOST`] pixels in one number, 16 bits each: sums and differences of such numbers are
/// those of the counts, whatever overflows on the way.
mod packed {
    pub const FOREGROUND: u64 = 1;
    pub const MOVING: u64 = 1 << 16;
    pub const HIDDEN: u64 = 1 << 32;
    pub const SHADE: u64 = 1 << 48;
}
const MOST: usize = u16::MAX as usize;

/// What a pixel adds to the counts of the table, by its label.
const COUNTED: [u64; 256] = {
    let mut counted = [packed::FOREGROUND; 256];
    counted[label::STREET as usize] = 0;
    counted[label::MOVING as usize] = packed::FOREGROUND + packed::MOVING;
    counted[HIDDEN as usize] = packed::HIDDEN;
    counted[label::SHADOW as usize] = packed::SHADE;
    counted
};

/// The same for a pixel that is removed: hidden, unless it was.
const LOST: [u64; 256] = {
    let mut lost = COUNTED;
    let mut pixel = 0;
    while pixel < lost.len() {
        lost[pixel] += packed::HIDDEN;
        pixel += 1;
    }
    lost[HIDDEN as usize] = 0;
    lost
};

/// Buffers are kept between regions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    x: usize,
    y: usize,
    pub width: usize,
    pub height: usize,
    pixels: Vec<u8>,
    /// 1 where they are foreground, column by column.
    columns: Vec<u8>,
    whole: Table,
    removed: Vec<Table>,
    /// How many of `removed` are in use.
    removals: usize,
}

impl Window {
    /// On columns `xs` and rows `ys` of the picture, all street.
    pub fn open(&mut self, xs: Range<usize>, ys: Range<usize>) {
        (self.x, self.y, self.width, self.height) = (xs.start, ys.start, xs.len(), ys.len());
        self.pixels.clear();
        self.pixels.resize(self.width * self.height, label::STREET);
        self.removals = 0;
    }

    /// Row `y` of the window.
    pub fn row(&self, y: usize) -> &[u8] {
        &self.pixels[y * self.width..][..self.width]
    }

    pub fn row_mut(&mut self, y: usize) -> &mut [u8] {
        &mut self.pixels[y * self.width..][..self.width]
    }

    /// The pixels are as they are to be: from here on they may be counted.
    pub fn seal(&mut self) {
        self.whole.fill(&self.pixels, self.width, (0..self.width, 0..self.height), &COUNTED);
        // Every one is written; never smaller, as the table.
        if self.columns.len() < self.width * self.height {
            self.columns.resize(self.width * self.height, 0);
        }
        for (y, pixels) in self.pixels.chunks_exact(self.width).enumerate() {
            let column = self.columns[y..self.width * self.height].iter_mut().step_by(self.height);
            column.zip(pixels).for_each(|(c, &p)| *c = u8::from(is_foreground(p)));
        }
    }

    /// Column and row of the picture at those of the window.
    pub fn place(&self, x: usize, y: usize) -> (f32, f32) {
        ((self.x + x) as f32, (self.y + y) as f32)
    }

    /// The window's columns and rows inside `rect` of the picture.
    pub fn clip(&self, rect: &Rect) -> (Range<usize>, Range<usize>) {
        rect.shifted(-(self.x as f32), -(self.y as f32)).pixels(self.width, self.height)
    }

    /// Fill `counts` with the foreground pixels of columns `xs`, at most 255, in each of the first `rows`.
    pub fn foreground(&self, xs: &Range<usize>, rows: usize, counts: &mut Vec<u8>) {
        counts.clear();
        counts.resize(rows, 0);
        for column in self.columns[xs.start * self.height..xs.end * self.height].chunks_exact(self.height) {
            counts.iter_mut().zip(column).for_each(|(count, &set)| *count += set);
        }
    }

    /// Columns `xs` and rows `ys` as they are now.
    #[inline]
    pub fn count(&self, xs: &Range<usize>, ys: &Range<usize>) -> Count {
        let mut count = self.whole.inside(xs, ys);
        for removed in &self.removed[..self.removals] {
            count.lose(removed.count(xs, ys));
        }
        count
    }

    /// Hide columns `xs` and rows `ys`.
    pub fn remove(&mut self, (xs, ys): (Range<usize>, Range<usize>)) {
        if self.removals == self.removed.len() {
            self.removed.push(Table::default());
        }
        self.removed[self.removals].fill(&self.pixels, self.width, (xs.clone(), ys.clone()), &LOST);
        self.removals += 1;
        for x in xs.clone() {
            self.columns[x * self.height..][ys.clone()].fill(0);
        }
        for y in ys {
            self.row_mut(y)[xs.clone()].fill(HIDDEN);
        }
    }

    /// What the latest removal has taken from columns `xs` and rows `ys`.
    pub fn lost(&self, xs: &Range<usize>, ys: &Range<usize>) -> Count {
        self.removed[..self.removals].last().map_or_else(Count::default, |removed| removed.count(xs, ys))
    }
}

/// Summed-area table of a part of the window, one row and column larger, of [`packed`] counts.
#[derive(Clone, Debug, Default)]
struct Table {
    xs: Range<usize>,
    ys: Range<usize>,
    sums: Vec<u64>,
}

impl Table {
    /// Of columns and rows `part` of `pixels`, rows of `width`, each adding what `adds` says.
    fn fill(
        &mut self,
        pixels: &[u8],
        width: usize,
        (xs, ys): (Range<usize>, Range<usize>),
        adds: &[u64; 256],
    ) {
        let w = xs.len() + 1;
        // Never smaller: what it has grown by would be cleared, and then written.
        if self.sums.len() < w * (ys.len() + 1) {
            self.sums.resize(w * (ys.len() + 1), 0);
        }
        self.sums[..w].fill(0);
        for (i, y) in ys.clone().enumerate() {
            let (above, below) = self.sums[i * w..(i + 2) * w].split_at_mut(w);
            let mut row = 0u64;
            below[0] = row;
            let pixels = &pixels[y * width..][..width][xs.clone()];
            for ((sum, above), &pixel) in below[1..].iter_mut().zip(&above[1..]).zip(pixels) {
                row = row.wrapping_add(adds[usize::from(pixel)]);
                *sum = above.wrapping_add(row);
            }
        }
        (self.xs, self.ys) = (xs, ys);
    }

    /// Columns `xs` and rows `ys`, as far as they lie inside.
    fn count(&self, xs: &Range<usize>, ys: &Range<usize>) -> Count {
        let (x1, x2) = (xs.start.max(self.xs.start), xs.end.min(self.xs.end));
        let (y1, y2) = (ys.start.max(self.ys.start), ys.end.min(self.ys.end));
        if x1 >= x2 || y1 >= y2 {
            return Count::default();
        }
        self.inside(&(x1..x2), &(y1..y2))
    }

    /// The same for those that all lie inside.
    #[inline]
    fn inside(&self, xs: &Range<usize>, ys: &Range<usize>) -> Count {
        let area = xs.len() * ys.len();
        if area == 0 {
            return Count::default();
        }
        if area > MOST {
            return self.inside_halves(xs, ys);
        }
        let w = self.xs.len() + 1;
        let row = |y: usize| &self.sums[(y - self.ys.start) * w..][..w];
        let between = |row: &[u64]| row[xs.end - self.xs.start].wrapping_sub(row[xs.start - self.xs.start]);
        Count::of(between(row(ys.end)).wrapping_sub(between(row(ys.start))))
    }

    /// The same in two parts, along the longer side.
    #[cold]
    fn inside_halves(&self, xs: &Range<usize>, ys: &Range<usize>) -> Count {
        let (x, y) = (xs.start.midpoint(xs.end), ys.start.midpoint(ys.end));
        let [a, b] = if xs.len() > ys.len() {
            [(xs.start..x, ys.clone()), (x..xs.end, ys.clone())]
        } else {
            [(xs.clone(), ys.start..y), (xs.clone(), y..ys.end)]
        };
        self.inside(&a.0, &a.1).and(self.inside(&b.0, &b.1))
    }
}

pub(crate) fn is_foreground(pixel: u8) -> bool {
    pixel == label::MOVING || pixel == label::SETTLED
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn boxes_of_more_pixels_than_a_table_counts_are_counted() {
        for (width, height) in [(500, 300), (300, 500)] {
            let mut window = Window::default();
            window.open(0..width, 0..height);
            (0..height).for_each(|y| window.row_mut(y).fill(label::MOVING));
            window.seal();
            let all = (width * height) as u32;
            let whole = Count { foreground: all, moving: all, ..Count::default() };
            assert_eq!(window.count(&(0..width), &(0..height)), whole);
            window.remove((0..width, 0..height));
            assert_eq!(window.count(&(0..width), &(0..height)), Count { hidden: all, ..Count::default() });
        }
    }

    proptest! {
        #[test]
        fn counts_are_those_of_the_pixels_left(
            (width, pixels) in (1usize..24).prop_flat_map(|w| {
                (Just(w), prop::collection::vec(prop::sample::select(vec![0, 1, 2, 4, HIDDEN]), w * 9))
            }),
            boxes in prop::collection::vec((0usize..24, 0usize..24, 0usize..9, 0usize..9), 1..6),
        ) {
            let mut window = Window::default();
            window.open(3..3 + width, 5..14);
            for y in 0..9 {
                window.row_mut(y).copy_from_slice(&pixels[y * width..][..width]);
            }
            window.seal();
            let all = (0..width, 0..9);
            for (x1, x2, y1, y2) in boxes {
                let part = (x1.min(x2).min(width)..x1.max(x2).min(width), y1.min(y2)..y1.max(y2));
                let mut before = window.count(&all.0, &all.1);
                window.remove(part);
                before.lose(window.lost(&all.0, &all.1));
                prop_assert_eq!(before, window.count(&all.0, &all.1));
                for xs in [0..width, 0..width / 2, width / 3..width] {
                    for ys in [0..9, 2..5, 8..9] {
                        let left = ys.clone().flat_map(|y| &window.row(y)[xs.clone()]);
                        let number = |of: &dyn Fn(u8) -> bool| left.clone().filter(|&&p| of(p)).count() as u32;
                        let plain = Count {
                            foreground: number(&is_foreground),
                            moving: number(&|p| p == label::MOVING),
                            hidden: number(&|p| p == HIDDEN),
                            shade: number(&|p| p == label::SHADOW),
                        };
                        prop_assert_eq!(window.count(&xs, &ys), plain);
                    }
                }
            }
        }
    }
}

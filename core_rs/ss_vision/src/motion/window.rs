//! The pixels of one region, and how many of each kind lie in any box of it.
//!
//! A summed-area table (Crow 1984) answers for the region as it was; what has
//! been removed since is remembered box by box with a table of its own and
//! taken off. Filling the table anew after each removal costs several times that.

use std::ops::Range;

use super::background::label;
use super::camera::Rect;

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
    /// Take off what has been `lost`: it is hidden now.
    pub fn lose(&mut self, lost: Self) {
        self.foreground -= lost.foreground;
        self.moving -= lost.moving;
        self.shade -= lost.shade;
        self.hidden += lost.hidden;
    }
}

/// What a pixel adds to each count of the table, by its label.
const COUNTED: [[u32; 4]; 256] = {
    let mut counted = [[1, 0, 0, 0]; 256];
    counted[label::STREET as usize] = [0; 4];
    counted[label::MOVING as usize] = [1, 1, 0, 0];
    counted[HIDDEN as usize] = [0, 0, 1, 0];
    counted[label::SHADOW as usize] = [0, 0, 0, 1];
    counted
};

/// The same for a pixel that is removed: hidden, unless it was.
const LOST: [[u32; 4]; 256] = {
    let mut lost = COUNTED;
    let mut pixel = 0;
    while pixel < lost.len() {
        lost[pixel][2] = (pixel != HIDDEN as usize) as u32;
        pixel += 1;
    }
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
        self.columns.clear();
        self.columns.resize(self.width * self.height, 0);
        for (y, pixels) in self.pixels.chunks_exact(self.width).enumerate() {
            let column = self.columns[y..].iter_mut().step_by(self.height);
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

    /// Fill `counts` with the foreground pixels of columns `xs`, at most 255, in each row.
    pub fn foreground(&self, xs: Range<usize>, counts: &mut Vec<u8>) {
        counts.clear();
        counts.resize(self.height, 0);
        for column in self.columns[xs.start * self.height..xs.end * self.height].chunks_exact(self.height) {
            counts.iter_mut().zip(column).for_each(|(count, &set)| *count += set);
        }
    }

    /// Columns `xs` and rows `ys` as they are now.
    pub fn count(&self, xs: &Range<usize>, ys: &Range<usize>) -> Count {
        let mut count = self.whole.count(xs, ys);
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

/// Summed-area table of a part of the window, one row and column larger:
/// foreground, moving, hidden, shade.
#[derive(Clone, Debug, Default)]
struct Table {
    xs: Range<usize>,
    ys: Range<usize>,
    sums: Vec<[u32; 4]>,
}

impl Table {
    /// Of columns and rows `part` of `pixels`, rows of `width`, each adding what `adds` says.
    fn fill(
        &mut self,
        pixels: &[u8],
        width: usize,
        (xs, ys): (Range<usize>, Range<usize>),
        adds: &[[u32; 4]; 256],
    ) {
        let w = xs.len() + 1;
        self.sums.resize(w * (ys.len() + 1), [0; 4]);
        self.sums[..w].fill([0; 4]);
        for (i, y) in ys.clone().enumerate() {
            let (above, below) = self.sums[i * w..(i + 2) * w].split_at_mut(w);
            let mut row = [0; 4];
            below[0] = row;
            let pixels = &pixels[y * width..][..width][xs.clone()];
            for ((sum, above), &pixel) in below[1..].iter_mut().zip(&above[1..]).zip(pixels) {
                row = plus(row, adds[usize::from(pixel)]);
                *sum = plus(*above, row);
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
        let w = self.xs.len() + 1;
        let (above, below) =
            (&self.sums[(y1 - self.ys.start) * w..][..w], &self.sums[(y2 - self.ys.start) * w..][..w]);
        let (left, right) = (x1 - self.xs.start, x2 - self.xs.start);
        let (a, b, c, d) = (below[right], above[left], below[left], above[right]);
        let part = |i: usize| a[i].wrapping_add(b[i]).wrapping_sub(c[i]).wrapping_sub(d[i]);
        Count { foreground: part(0), moving: part(1), hidden: part(2), shade: part(3) }
    }
}

pub(crate) fn is_foreground(pixel: u8) -> bool {
    pixel == label::MOVING || pixel == label::SETTLED
}

fn plus(a: [u32; 4], b: [u32; 4]) -> [u32; 4] {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
                        let [foreground, moving, hidden, shade] =
                            left.fold([0; 4], |sum, &p| plus(sum, COUNTED[usize::from(p)]));
                        let plain = Count { foreground, moving, hidden, shade };
                        prop_assert_eq!(window.count(&xs, &ys), plain);
                    }
                }
            }
        }
    }
}

//! Foreground pixels to connected regions.

use std::ops::Range;

use super::bits::{Bits, Span};
use super::camera::Rect;
use super::mask::Mask;

/// A connected region of foreground.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Blob {
    /// First column and row, and one past the last.
    pub x1: usize,
    pub y1: usize,
    pub x2: usize,
    pub y2: usize,
    /// Foreground pixels, and those of them that have settled.
    pub area: usize,
    pub settled: usize,
    /// Pixels that may be shadow or a dark part of it, not counted in `area`.
    pub shade: usize,
}

impl Blob {
    /// The box around it.
    pub fn rect(&self) -> Rect {
        Rect { x1: self.x1 as f32, y1: self.y1 as f32, x2: self.x2 as f32, y2: self.y2 as f32 }
    }
}

/// A run of foreground pixels `x1..x2` in one row.
#[derive(Clone, Copy, Debug)]
struct Run {
    y: u32,
    x1: u32,
    x2: u32,
    /// What is summed up over the runs of a region.
    counts: [u32; 2],
    /// An earlier run of the same region; of its first one, itself.
    parent: u32,
    /// The next run of the same region; of its last one, itself.
    next: u32,
}

/// Connected components by runs; buffers are kept between frames.
#[derive(Clone, Debug, Default)]
pub(crate) struct Components {
    runs: Vec<Run>,
    /// Buffer for where the runs of a row begin and end.
    ends: Vec<u32>,
    /// Blob of every run.
    blob_of: Vec<u32>,
    /// First and last run of each blob.
    chains: Vec<[u32; 2]>,
    pub blobs: Vec<Blob>,
    /// What was counted in each of them.
    pub sums: Vec<[usize; 2]>,
    arch: pulp::Arch,
}

impl Components {
    /// Components of the pixels of `mask` that are not street, 8-connected, in
    /// the order of their first pixel. What has settled and what may be shadow
    /// is counted apart.
    pub fn find(&mut self, mask: &Mask) {
        self.find_set(&mask.set, mask.height, Kinds { settled: &mask.settled, shade: &mask.shade });
        for (blob, &[settled, shade]) in self.blobs.iter_mut().zip(&self.sums) {
            (blob.settled, blob.shade) = (settled, shade);
            blob.area -= shade;
        }
    }

    /// The same for the pixels set in `bits`, which has `height` rows; what
    /// `tally` says of their runs is summed up.
    pub fn find_set(&mut self, bits: &Bits, height: usize, tally: impl Tally) {
        self.runs.clear();
        let (runs, ends) = (&mut self.runs, &mut self.ends);
        self.arch.dispatch(Scan { bits, height, tally, runs, ends });
        self.collect();
    }

    fn collect(&mut self) {
        self.blobs.clear();
        self.sums.clear();
        self.chains.clear();
        self.blob_of.clear();
        for i in 0..self.runs.len() {
            let run = self.runs[i];
            let (x1, x2, y) = (run.x1 as usize, run.x2 as usize, run.y as usize);
            // The first run of a component comes before the others, and so does every parent.
            let number = if run.parent as usize == i {
                self.blobs.push(Blob { x1, y1: y, x2, y2: y + 1, area: 0, settled: 0, shade: 0 });
                self.sums.push([0; 2]);
                self.chains.push([i as u32; 2]);
                self.blobs.len() - 1
            } else {
                self.blob_of[run.parent as usize] as usize
            };
            self.blob_of.push(number as u32);
            let (blob, sums) = (&mut self.blobs[number], &mut self.sums[number]);
            blob.x1 = blob.x1.min(x1);
            blob.x2 = blob.x2.max(x2);
            blob.y2 = y + 1;
            blob.area += x2 - x1;
            *sums = [sums[0] + run.counts[0] as usize, sums[1] + run.counts[1] as usize];
            let last = &mut self.chains[number][1];
            self.runs[*last as usize].next = i as u32;
            *last = i as u32;
        }
    }

    /// Rows and columns `(y, x1, x2)` of every run of blob `number`, row by row.
    pub fn runs_of(&self, number: usize) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        let [first, last] = self.chains[number];
        let after = move |&i: &u32| (i != last).then(|| self.runs[i as usize].next);
        std::iter::successors(Some(first), after).map(|i| {
            let run = &self.runs[i as usize];
            (run.y as usize, run.x1 as usize, run.x2 as usize)
        })
    }
}

/// What is counted of every run. No closure, as that may be compiled apart
/// from the dispatched function.
pub(crate) trait Tally {
    /// Of columns `xs` of row `y`; to be inlined.
    fn of(&self, y: usize, xs: Range<usize>) -> [u32; 2];
}

/// Those that have settled, and those that may be shadow.
struct Kinds<'a> {
    settled: &'a Bits,
    shade: &'a Bits,
}

impl Tally for Kinds<'_> {
    #[inline(always)]
    #[allow(clippy::inline_always)] // must become part of the dispatched function
    fn of(&self, y: usize, xs: Range<usize>) -> [u32; 2] {
        let xs = Span::of(&xs);
        [self.settled.count(y, &xs) as u32, self.shade.count(y, &xs) as u32]
    }
}

/// One pass over the rows of `bits`: their runs, each with the runs above it that it touches.
struct Scan<'a, T> {
    bits: &'a Bits,
    height: usize,
    tally: T,
    runs: &'a mut Vec<Run>,
    ends: &'a mut Vec<u32>,
}

impl<T: Tally> pulp::NullaryFnOnce for Scan<'_, T> {
    type Output = ();

    #[inline(always)]
    #[allow(clippy::inline_always)] // the very point
    fn call(self) {
        let Self { bits, height, tally, runs, ends } = self;
        let mut above = 0..0;
        for y in 0..height {
            let start = runs.len();
            if bits.row(y).iter().fold(0, |any, word| any | word) == 0 {
                above = start..start;
                continue;
            }
            for &[x1, x2] in bits.runs(y, ends) {
                let (parent, counts) = (runs.len() as u32, tally.of(y, x1 as usize..x2 as usize));
                runs.push(Run { y: y as u32, x1, x2, counts, parent, next: parent });
            }
            let end = runs.len();
            let mut a = above.start;
            for i in start..end {
                let (x1, x2) = (runs[i].x1, runs[i].x2);
                while a < above.end && runs[a].x2 < x1 {
                    a += 1;
                }
                let mut touching = a;
                while touching < above.end && runs[touching].x1 <= x2 {
                    join(runs, touching, i);
                    touching += 1;
                }
            }
            above = start..end;
        }
    }
}

#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn root(runs: &mut [Run], mut i: usize) -> usize {
    while runs[i].parent as usize != i {
        let grand = runs[runs[i].parent as usize].parent;
        runs[i].parent = grand;
        i = grand as usize;
    }
    i
}

#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn join(runs: &mut [Run], a: usize, b: usize) {
    let (a, b) = (root(runs, a), root(runs, b));
    runs[a.max(b)].parent = a.min(b) as u32;
}

#[cfg(test)]
mod grouping {
    use super::super::majority::Majority;
    use super::super::mask::label;
    use super::super::plane::Plane;
    use super::*;

    #[test]
    fn shade_stays_shade_and_is_counted_apart() {
        let mut labels = Plane::new(30, 20, 0);
        for y in 5..15 {
            labels.row_mut(y)[5..15].fill(label::MOVING);
            labels.row_mut(y)[15..25].fill(label::MOVING | label::SHADOW);
        }
        let mut mask = Mask::new(30, 20);
        Majority::default().vote(&labels.into(), &mut mask, pulp::Arch::new());
        let shown = Plane::from(mask.clone());
        assert_eq!([shown.row(10)[10], shown.row(10)[20]], [label::MOVING, label::SHADOW]);
        let mut found = Components::default();
        found.find(&mask);
        assert_eq!(found.blobs.len(), 1);
        assert!(found.blobs[0].area > 90 && found.blobs[0].shade > 90, "{:?}", found.blobs[0]);
        assert_eq!(found.blobs[0].x2, 25);
    }

    #[test]
    fn the_runs_of_a_blob_are_its_own_and_in_order() {
        let mut mask = Plane::new(40, 30, 0);
        for (i, pixel) in mask.data.iter_mut().enumerate() {
            *pixel = u8::from((i * i / 7) % 5 == 0);
        }
        let mut found = Components::default();
        found.find(&mask.into());
        assert!(found.blobs.len() > 5, "{}", found.blobs.len());
        let mut seen = 0;
        for (number, blob) in found.blobs.iter().enumerate() {
            let runs: Vec<_> = found.runs_of(number).collect();
            let of_all: Vec<_> = (found.runs.iter().zip(&found.blob_of))
                .filter(|(_, b)| **b == number as u32)
                .map(|(r, _)| (r.y as usize, r.x1 as usize, r.x2 as usize))
                .collect();
            assert_eq!(runs, of_all);
            assert_eq!(runs.iter().map(|r| r.2 - r.1).sum::<usize>(), blob.area);
            seen += runs.len();
        }
        assert_eq!(seen, found.runs.len());
    }
}

//! Foreground pixels to connected regions.

use super::background::label;
use super::bits::Bits;
use super::camera::Rect;
use super::reduce::Plane;

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
    settled: u32,
    shade: u32,
    parent: u32,
}

/// Connected components by runs; buffers are kept between frames.
#[derive(Clone, Debug, Default)]
pub(crate) struct Components {
    runs: Vec<Run>,
    /// Blob of each root run, and of every run after [`Components::find`].
    blob_of: Vec<u32>,
    /// Runs blob by blob, and where each blob's begin.
    by_blob: Vec<u32>,
    starts: Vec<u32>,
    /// Pixels of the mask, and those that have settled.
    set: Bits,
    settled: Bits,
    shade: Bits,
    pub blobs: Vec<Blob>,
}

impl Components {
    /// Components of the pixels of `mask` that are not street, 8-connected, in
    /// the order of their first pixel. Pixels equal to
    /// [`label::SETTLED`] and [`label::SHADOW`] are counted apart.
    pub fn find(&mut self, mask: &Plane) {
        let (mut set, mut settled) = (std::mem::take(&mut self.set), std::mem::take(&mut self.settled));
        let mut shade = std::mem::take(&mut self.shade);
        set.mark(mask, label::MOVING | label::SETTLED | label::SHADOW);
        settled.mark(mask, label::SETTLED);
        shade.mark(mask, label::SHADOW);
        self.find_set(&set, mask.height, |y, x1, x2| (settled.count(y, x1..x2), shade.count(y, x1..x2)));
        (self.set, self.settled, self.shade) = (set, settled, shade);
    }

    /// The same for the pixels set in `bits`, which has `height` rows;
    /// `count` those that have settled, and those that may be shadow, among
    /// `x1..x2` of a row.
    pub fn find_set(
        &mut self,
        bits: &Bits,
        height: usize,
        count: impl Fn(usize, usize, usize) -> (usize, usize),
    ) {
        self.runs.clear();
        let mut above = 0..0;
        for y in 0..height {
            let start = self.runs.len();
            bits.each_run(y, |x1, x2| {
                let (parent, (settled, shade)) = (self.runs.len() as u32, count(y, x1, x2));
                let (settled, shade) = (settled as u32, shade as u32);
                self.runs.push(Run { y: y as u32, x1: x1 as u32, x2: x2 as u32, settled, shade, parent });
            });
            let end = self.runs.len();
            let mut a = above.start;
            for i in start..end {
                let (x1, x2) = (self.runs[i].x1, self.runs[i].x2);
                while a < above.end && self.runs[a].x2 < x1 {
                    a += 1;
                }
                let mut touching = a;
                while touching < above.end && self.runs[touching].x1 <= x2 {
                    self.join(touching, i);
                    touching += 1;
                }
            }
            above = start..end;
        }
        self.collect();
    }

    fn root(&mut self, mut i: usize) -> usize {
        while self.runs[i].parent as usize != i {
            let grand = self.runs[self.runs[i].parent as usize].parent;
            self.runs[i].parent = grand;
            i = grand as usize;
        }
        i
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        let (low, high) = (a.min(b), a.max(b));
        self.runs[high].parent = low as u32;
    }

    fn collect(&mut self) {
        self.blobs.clear();
        self.blob_of.clear();
        for i in 0..self.runs.len() {
            let (root, run) = (self.root(i), self.runs[i]);
            let (x1, x2, y) = (run.x1 as usize, run.x2 as usize, run.y as usize);
            // A root is the first run of its component, so it comes before the others.
            let number = if root == i {
                self.blobs.push(Blob { x1, y1: y, x2, y2: y + 1, area: 0, settled: 0, shade: 0 });
                self.blobs.len() as u32 - 1
            } else {
                self.blob_of[root]
            };
            self.blob_of.push(number);
            let blob = &mut self.blobs[number as usize];
            blob.x1 = blob.x1.min(x1);
            blob.x2 = blob.x2.max(x2);
            blob.y2 = y + 1;
            blob.area += x2 - x1 - run.shade as usize;
            blob.shade += run.shade as usize;
            blob.settled += run.settled as usize;
        }
        self.group();
    }

    /// Put the runs of each blob together (counting sort), so that walking one
    /// blob does not look at the runs of all.
    fn group(&mut self) {
        self.starts.clear();
        self.starts.resize(self.blobs.len() + 1, 0);
        for &blob in &self.blob_of {
            self.starts[blob as usize] += 1;
        }
        let mut end = 0;
        for start in &mut self.starts {
            end += *start;
            *start = end;
        }
        self.by_blob.clear();
        self.by_blob.resize(self.runs.len(), 0);
        for (run, &blob) in self.blob_of.iter().enumerate().rev() {
            let start = &mut self.starts[blob as usize];
            *start -= 1;
            self.by_blob[*start as usize] = run as u32;
        }
    }

    /// Rows and columns `(y, x1, x2)` of every run of blob `number`.
    pub fn runs_of(&self, number: usize) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        let range = self.starts[number] as usize..self.starts[number + 1] as usize;
        self.by_blob[range].iter().map(|&i| {
            let run = &self.runs[i as usize];
            (run.y as usize, run.x1 as usize, run.x2 as usize)
        })
    }
}

/// Keep a foreground pixel when at least four of the eight around it are
/// foreground, and fill a street pixel when at least six are: lone noise goes,
/// pinholes close, outlines stay where they are. What may be shadow stays so.
pub(crate) fn majority(labels: &Plane, sums: &mut [u8], out: &mut Plane, arch: pulp::Arch) {
    arch.dispatch(Majority { labels, sums, out });
}

/// A call of [`majority_of`], for the reason of `reduce::Reduce`.
struct Majority<'a> {
    labels: &'a Plane,
    sums: &'a mut [u8],
    out: &'a mut Plane,
}

impl pulp::NullaryFnOnce for Majority<'_> {
    type Output = ();

    #[inline(always)]
    #[allow(clippy::inline_always)] // the very point
    fn call(self) {
        majority_of(self.labels, self.sums, self.out);
    }
}

#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn majority_of(labels: &Plane, sums: &mut [u8], out: &mut Plane) {
    let (w, h) = (labels.width, labels.height);
    for y in 0..h {
        let above = labels.row(y.saturating_sub(1));
        let (here, below) = (labels.row(y), labels.row((y + 1).min(h - 1)));
        let (sums, out) = (&mut sums[..w], out.row_mut(y));
        if w < 3 {
            out.fill(label::STREET);
            continue;
        }
        for (((s, &a), &b), &c) in sums.iter_mut().zip(above).zip(here).zip(below) {
            *s = is_set(a) + is_set(b) + is_set(c);
        }
        out[0] = vote(here[0], 2 * sums[0] + sums[1]);
        out[w - 1] = vote(here[w - 1], 2 * sums[w - 1] + sums[w - 2]);
        let around = sums[..w - 2].iter().zip(&sums[1..w - 1]).zip(&sums[2..]);
        for ((o, &v), ((&a, &b), &c)) in out[1..w - 1].iter_mut().zip(&here[1..w - 1]).zip(around) {
            *o = vote(v, a + b + c);
        }
    }
}

/// 1 for foreground, 0 for street and shadow.
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn is_set(pixel: u8) -> u8 {
    u8::from(pixel == label::MOVING) + u8::from(pixel == label::SETTLED)
}

/// Label after the vote of `count` foreground pixels among nine.
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn vote(pixel: u8, count: u8) -> u8 {
    let kept = if count >= 5 { pixel } else { 0 };
    let filled = if count >= 6 { label::MOVING } else { pixel & label::SHADOW };
    if is_set(pixel) == 0 { filled } else { kept }
}

#[cfg(test)]
mod grouping {
    use super::*;

    #[test]
    fn shade_stays_shade_and_is_counted_apart() {
        let mut labels = Plane::new(30, 20, 0);
        for y in 5..15 {
            labels.row_mut(y)[5..15].fill(label::MOVING);
            labels.row_mut(y)[15..25].fill(label::MOVING | label::SHADOW);
        }
        let mut mask = Plane::new(30, 20, 0);
        majority(&labels, &mut [0; 30], &mut mask, pulp::Arch::new());
        assert_eq!([mask.row(10)[10], mask.row(10)[20]], [label::MOVING, label::SHADOW]);
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
        found.find(&mask);
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

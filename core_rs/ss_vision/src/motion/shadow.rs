//! Shadows: foreground that is only a darker street.
//!
//! Asphalt in shadow is darker by the same factor all over a scene, the ratio
//! of skylight to sun and sky. That factor shows as a peak in the histogram of
//! picture over street where things move; vehicles have no level in common.
//! No peak (overcast, night), no shadows to remove.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::bits::full;
use super::bits::{Bits, Packer, Span, WORD, for_each_set, pixels};
use super::blobs::{Components, Tally};
use super::mask::Mask;
use super::plane::Plane;

const BINS: usize = 64;
/// Ratios at which a shadow is possible: below, it is a dark object; above, noise.
const POSSIBLE: std::ops::Range<usize> = 16..58;
/// Streets darker than this (night) give no usable ratio.
const MIN_LEVEL: u8 = 40;
/// Pixels in the histogram before it is believed (a dozen vehicles passing, so
/// that the colour of one is no peak), and before it is halved so that the sun
/// may move.
const ENOUGH: u32 = 20_000;
const HALVE_AT: u32 = 400_000;
/// Height of the peak over the usual bin.
const PEAK: u32 = 2;

/// What is known about shadows in the scene.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Shadow {
    histogram: Vec<u32>,
    /// Bins of ratio that are shadow; empty where there is none.
    range: (u8, u8),
    // Buffers of one frame.
    #[serde(skip)]
    shaded: Bits,
    /// Neither shaded nor the rim of a shadow, which is lighter than it and
    /// darker than the street.
    #[serde(skip)]
    objects: Bits,
    #[serde(skip)]
    parts: Components,
}

impl Default for Shadow {
    fn default() -> Self {
        Self {
            histogram: vec![0; BINS],
            range: (0, 0),
            shaded: Bits::default(),
            objects: Bits::default(),
            parts: Components::default(),
        }
    }
}

impl Shadow {
    /// Mark shadows in `labels`, which know of none, and learn from the moving pixels.
    ///
    /// `weight` is the number of frames the picture stands for.
    pub fn remove(
        &mut self,
        (picture, street): (&Plane, &Plane),
        labels: &mut Mask,
        weight: u32,
        arch: pulp::Arch,
    ) {
        let range = self.range;
        self.shaded.clear(labels.width, labels.height);
        self.objects.clear(labels.width, labels.height);
        arch.dispatch(Look {
            planes: (picture, street, labels),
            weight,
            range,
            histogram: &mut self.histogram,
            found: (&mut self.shaded, &mut self.objects),
            packer: Packer::new(),
        });
        self.find_peak();
        labels.shade.clear(labels.width, labels.height);
        if range.0 < range.1 {
            self.relabel(labels);
        }
    }

    /// What has the level of a shadow is one, unless it lies between other
    /// parts of the vehicle, like a dark door: a shadow lies on the street.
    fn relabel(&mut self, labels: &mut Mask) {
        let about = Surroundings {
            shaded: &self.shaded,
            objects: &self.objects,
            width: labels.width,
            height: labels.height,
        };
        self.parts.find_set(&self.shaded, labels.height, about);
        for (number, &[outline, object]) in self.parts.sums.iter().enumerate() {
            if 2 * object < outline {
                for (y, x1, x2) in self.parts.runs_of(number) {
                    labels.shade.fill(y, &(x1..x2));
                }
            }
        }
    }

    fn find_peak(&mut self) {
        let total: u32 = self.histogram.iter().sum();
        if total > HALVE_AT {
            self.histogram.iter_mut().for_each(|n| *n /= 2);
        }
        let smooth = |k: usize| self.histogram[k - 1..=k + 1].iter().sum::<u32>();
        let mut usual: [u32; POSSIBLE.end - POSSIBLE.start] =
            std::array::from_fn(|i| smooth(POSSIBLE.start + i));
        usual.sort_unstable();
        let Some(peak) = POSSIBLE.max_by_key(|&k| smooth(k)) else { return };
        let height = smooth(peak);
        self.range = (0, 0);
        if total >= ENOUGH && height > PEAK * usual[usual.len() / 2] {
            let holds = |k: &usize| POSSIBLE.contains(k) && 3 * smooth(*k) > height;
            let first = (peak - 3..=peak).rev().take_while(holds).last().unwrap_or(peak);
            let last = (peak..=peak + 3).take_while(holds).last().unwrap_or(peak);
            self.range = (first as u8, last as u8 + 1);
        }
    }

    /// A snapshot may lie.
    pub fn is_sound(&self) -> bool {
        self.histogram.len() == BINS && self.histogram.iter().all(|&n| n <= 2 * HALVE_AT)
    }
}

/// What lies beside shaded pixels.
struct Surroundings<'a> {
    shaded: &'a Bits,
    objects: &'a Bits,
    width: usize,
    height: usize,
}

impl Tally for Surroundings<'_> {
    /// Pixels beside a run that are not shaded, and those of them that are objects.
    #[inline(always)]
    #[allow(clippy::inline_always)] // must become part of the dispatched function
    fn of(&self, y: usize, xs: Range<usize>) -> [u32; 2] {
        let (mut outline, mut object) = (0, 0);
        let span = Span::of(&xs);
        // A row above the first is far below the last.
        for beside in [y.wrapping_sub(1), y + 1] {
            if beside < self.height {
                outline += xs.len() - self.shaded.count(beside, &span);
                object += self.objects.count(beside, &span);
            }
        }
        if xs.start > 0 {
            outline += 1;
            object += usize::from(self.objects.is_set(xs.start - 1, y));
        }
        if xs.end < self.width {
            outline += 1;
            object += usize::from(self.objects.is_set(xs.end, y));
        }
        [outline as u32, object as u32]
    }
}

/// One pass over the foreground: shadows by their level, and the histogram.
struct Look<'a> {
    /// Picture, street and labels.
    planes: (&'a Plane, &'a Plane, &'a Mask),
    weight: u32,
    range: (u8, u8),
    histogram: &'a mut [u32],
    /// Shaded, and objects.
    found: (&'a mut Bits, &'a mut Bits),
    packer: Packer,
}

/// What the level of a foreground pixel says, as flags.
mod says {
    /// Darker than a street on which ratios mean something.
    pub const DARKER: u8 = 1;
    /// As dark as a shadow.
    pub const SHADED: u8 = 2;
    /// Lighter than a shadow, darker than the street: the rim of a shadow.
    pub const RIM: u8 = 4;
}

impl pulp::NullaryFnOnce for Look<'_> {
    type Output = ();

    #[inline(always)]
    #[allow(clippy::inline_always)] // must become part of the dispatched function
    fn call(self) {
        let (picture, street, labels) = self.planes;
        // Two, as neighbours often are of one bin and would wait for each other.
        let mut counts = [[0; BINS]; 2];
        for y in 0..labels.height {
            let (picture, street) = (picture.row(y), street.row(y));
            let (shaded, objects) = (self.found.0.row_mut(y), self.found.1.row_mut(y));
            let shown = labels.set.row(y).iter().zip(labels.settled.row(y)).enumerate();
            for (k, (&set, &settled)) in shown.filter(|(_, (set, _))| **set != 0) {
                let (picture, street) = (pixels(picture, k), pixels(street, k));
                let said = compare(&picture, &street, self.range);
                shaded[k] = self.packer.pack(&said, says::SHADED) & set;
                objects[k] = !self.packer.pack(&said, says::SHADED | says::RIM) & set;
                let moving = self.packer.pack(&said, says::DARKER) & set & !settled;
                for_each_set(moving, |x| counts[x & 1][bin(picture[x], street[x])] += self.weight);
            }
        }
        for counts in counts {
            self.histogram.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
        }
    }
}

/// Flags of a word of pixels.
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn compare(picture: &[u8; WORD], street: &[u8; WORD], range: (u8, u8)) -> [u8; WORD] {
    // Products up to 64·255 fit signed words, which vectors compare in one instruction.
    let (first, end) = (i16::from(range.0), i16::from(range.1));
    let known = full(first < end) & (says::SHADED | says::RIM);
    let mut said = [0; WORD];
    for ((said, &i), &b) in said.iter_mut().zip(picture).zip(street) {
        let darker = full(i < b) & full(b >= MIN_LEVEL);
        // In `first..end` without dividing: i·BINS / b ≥ n when i·BINS ≥ n·b.
        let (level, street) = (i16::from(i) * BINS as i16, i16::from(b));
        let reaches = full(level >= first * street) & says::SHADED;
        let beyond = full(level >= end * street);
        *said = darker & (says::DARKER | (known & ((reaches & !beyond) | (says::RIM & beyond))));
    }
    said
}

/// Bin of picture over street, for a picture darker than the street: exact,
/// as i·(1 + 2⁻¹⁶·b) / b stays below the next whole number for i < b.
fn bin(picture: u8, street: u8) -> usize {
    (usize::from(picture) * RECIPROCALS[usize::from(street)] as usize) >> 16
}

/// `BINS` over every level of the street, with 16 bits after the point, rounded up.
const RECIPROCALS: [u32; 256] = {
    let mut table = [0; 256];
    let mut level = 1;
    while level < table.len() {
        table[level] = ((BINS as u32) << 16).div_ceil(level as u32);
        level += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_is_the_rounded_down_ratio() {
        for street in MIN_LEVEL..=255 {
            for picture in 0..street {
                assert_eq!(bin(picture, street), usize::from(picture) * BINS / usize::from(street));
            }
        }
    }
}

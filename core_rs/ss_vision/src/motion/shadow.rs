//! Shadows: foreground that is only a darker street.
//!
//! Asphalt in shadow is darker by the same factor all over a scene, the ratio
//! of skylight to sun and sky. That factor shows as a peak in the histogram of
//! picture over street where things move; vehicles have no level in common.
//! No peak (overcast, night), no shadows to remove.

use serde::{Deserialize, Serialize};

use super::background::label;
use super::blobs::{Components, first_set};
use super::reduce::Plane;

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

/// Mark, within this module, of a pixel lighter than a shadow and darker than
/// the street: the rim of a shadow, no object.
const PENUMBRA: u8 = 8;

/// What is known about shadows in the scene.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Shadow {
    histogram: Vec<u32>,
    /// Bins of ratio that are shadow; empty where there is none.
    range: (u8, u8),
    #[serde(skip)]
    parts: Components,
}

impl Default for Shadow {
    fn default() -> Self {
        Self { histogram: vec![0; BINS], range: (0, 0), parts: Components::default() }
    }
}

impl Shadow {
    /// Relabel shadows in `labels` as [`label::SHADOW`] and learn from the moving pixels.
    ///
    /// `weight` is the number of frames the picture stands for.
    pub fn remove(&mut self, picture: &Plane, street: &Plane, labels: &mut Plane, weight: u32) {
        let range = usize::from(self.range.0)..usize::from(self.range.1);
        for y in 0..labels.height {
            let (picture, street) = (picture.row(y), street.row(y));
            let row = labels.row_mut(y);
            let mut x = 0;
            while let Some(skip) = first_set(&row[x..]) {
                x += skip;
                let (i, b) = (picture[x], street[x]);
                if i < b && b >= MIN_LEVEL {
                    let bin = usize::from(i) * BINS / usize::from(b);
                    self.histogram[bin] += weight * u32::from(row[x] == label::MOVING);
                    if range.contains(&bin) {
                        row[x] |= label::SHADOW;
                    } else if !range.is_empty() && bin >= range.end {
                        row[x] |= PENUMBRA;
                    }
                }
                x += 1;
            }
        }
        self.find_peak();
        if !range.is_empty() {
            self.give_back(labels);
        }
    }

    /// A dark door has the level of a shadow, too. But it lies between other
    /// parts of the vehicle, while a shadow lies on the street.
    fn give_back(&mut self, labels: &mut Plane) {
        self.parts.find_where(labels, |l| l & label::SHADOW != 0);
        for number in 0..self.parts.blobs.len() {
            let (mut outline, mut object) = (0usize, 0usize);
            let mut look = |l: u8| {
                outline += usize::from(l & label::SHADOW == 0);
                object += usize::from(l == label::MOVING || l == label::SETTLED);
            };
            for (y, x1, x2) in self.parts.runs_of(number) {
                for beside in [y.wrapping_sub(1), y + 1] {
                    if beside < labels.height {
                        labels.row(beside)[x1..x2].iter().for_each(|&l| look(l));
                    }
                }
                let row = labels.row(y);
                row[..x1].last().into_iter().chain(row.get(x2)).for_each(|&l| look(l));
            }
            if 2 * object >= outline {
                for (y, x1, x2) in self.parts.runs_of(number) {
                    labels.row_mut(y)[x1..x2].iter_mut().for_each(|l| *l &= !label::SHADOW);
                }
            }
        }
        labels.data.iter_mut().for_each(|l| *l &= !PENUMBRA);
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

//! What every pixel shows, one bit per pixel and kind: passes over it read an
//! eighth of what a byte per pixel would make them read.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::bits::{Bits, WORD, expand, within, words_of};
use super::plane::Plane;

/// What a pixel shows.
pub(crate) mod label {
    /// The empty street.
    pub const STREET: u8 = 0;
    /// Differs from the street and changes.
    pub const MOVING: u8 = 1;
    /// Differs from the street and has settled.
    pub const SETTLED: u8 = 2;
    /// Added to the others: differs from the street by no more than a shadow would, or light by night.
    pub const SHADOW: u8 = 4;
}

/// The labels of a picture: what is set is foreground or shade, and moves
/// unless it is one of the others.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Plane", into = "Plane")]
pub(crate) struct Mask {
    pub width: usize,
    pub height: usize,
    /// Anything but [`label::STREET`].
    pub set: Bits,
    /// Of what is set: [`label::SETTLED`], and [`label::SHADOW`].
    pub settled: Bits,
    pub shade: Bits,
}

impl Mask {
    /// All street.
    pub fn new(width: usize, height: usize) -> Self {
        let [set, settled, shade] = std::array::from_fn(|_| Bits::new(width, height));
        Self { width, height, set, settled, shade }
    }

    /// Has this size; a snapshot may lie.
    pub fn is(&self, width: usize, height: usize) -> bool {
        (self.width, self.height) == (width, height)
    }

    /// Show what `other`, of the same size, shows.
    pub fn copy_from(&mut self, other: &Self) {
        self.set.copy_from(&other.set);
        self.settled.copy_from(&other.settled);
        self.shade.copy_from(&other.shade);
    }

    /// How many pixels move in columns `xs` and rows `ys`.
    #[inline(always)]
    #[allow(clippy::inline_always)] // must become part of the dispatched function
    pub fn count_moving(&self, xs: &Range<usize>, ys: Range<usize>) -> usize {
        let mut count = 0;
        for y in ys {
            let (set, settled, shade) = (self.set.row(y), self.settled.row(y), self.shade.row(y));
            for k in words_of(xs) {
                count += (set[k] & !(settled[k] | shade[k]) & within(xs, k)).count_ones() as usize;
            }
        }
        count
    }

    /// Make columns `xs` and rows `ys` street, but for what moves there if that is `kept`.
    pub fn clear(&mut self, xs: &Range<usize>, ys: Range<usize>, kept: bool) {
        let always = if kept { 0 } else { u64::MAX };
        for y in ys {
            let (set, settled, shade) = (self.set.row_mut(y), self.settled.row_mut(y), self.shade.row_mut(y));
            for k in words_of(xs) {
                let inside = within(xs, k);
                set[k] &= !(inside & (settled[k] | shade[k] | always));
                settled[k] &= !inside;
                shade[k] &= !inside;
            }
        }
    }

    /// Write the labels of row `y` from column `x` on.
    pub fn paint(&self, y: usize, x: usize, labels: &mut [u8]) {
        for (i, labels) in labels.chunks_mut(WORD).enumerate() {
            let from = |bits: &Bits| bits.from(y, x + i * WORD).to_le_bytes();
            let shown = from(&self.set).into_iter().zip(from(&self.settled)).zip(from(&self.shade));
            for (labels, ((set, settled), shade)) in labels.chunks_mut(8).zip(shown) {
                let eight = expand(set) * u64::from(label::MOVING)
                    + expand(settled) * u64::from(label::SETTLED - label::MOVING)
                    + expand(shade) * u64::from(label::SHADOW - label::MOVING);
                labels.copy_from_slice(&eight.to_le_bytes()[..labels.len()]);
            }
        }
    }
}

impl From<Plane> for Mask {
    /// One whose bytes are not as many as its size says shows nothing.
    fn from(plane: Plane) -> Self {
        if plane.width.checked_mul(plane.height) != Some(plane.data.len()) {
            return Self::default();
        }
        let mut mask = Self::new(plane.width, plane.height);
        mask.set.mark(&plane, label::MOVING | label::SETTLED | label::SHADOW);
        mask.settled.mark(&plane, label::SETTLED);
        mask.shade.mark(&plane, label::SHADOW);
        mask
    }
}

impl From<Mask> for Plane {
    fn from(mask: Mask) -> Self {
        let mut plane = Self::new(mask.width, mask.height, label::STREET);
        for y in 0..mask.height {
            mask.paint(y, 0, plane.row_mut(y));
        }
        plane
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_mask_shows_what_its_labels_say(
            (width, labels) in (1usize..150).prop_flat_map(|w| {
                (Just(w), prop::collection::vec(prop::sample::select(vec![0u8, 1, 2, 4]), w * 4))
            }),
            (a, b, c, d) in (0usize..150, 0usize..150, 0usize..5, 0usize..5), kept: bool,
        ) {
            let mut plane = Plane { width, height: 4, data: labels };
            let mut mask = Mask::from(plane.clone());
            prop_assert_eq!(&Plane::from(mask.clone()), &plane);
            let (xs, ys) = (a.min(b).min(width)..a.max(b).min(width), c.min(d).min(4)..c.max(d).min(4));
            let mut part = vec![9; xs.len()];
            mask.paint(3, xs.start, &mut part);
            prop_assert_eq!(&part, &plane.row(3)[xs.clone()]);
            let moving = ys.clone().flat_map(|y| &plane.row(y)[xs.clone()]).filter(|&&l| l == label::MOVING).count();
            prop_assert_eq!(mask.count_moving(&xs, ys.clone()), moving);
            mask.clear(&xs, ys.clone(), kept);
            for y in ys {
                let cleared = plane.row_mut(y)[xs.clone()].iter_mut();
                cleared.for_each(|l| *l = if kept && *l == label::MOVING { *l } else { label::STREET });
            }
            prop_assert_eq!(Plane::from(mask), plane);
        }
    }

    #[test]
    fn a_plane_that_lies_about_its_size_shows_nothing() {
        let mask = Mask::from(Plane { width: 3, height: usize::MAX, data: vec![1; 5] });
        assert!(mask.is(0, 0));
    }
}

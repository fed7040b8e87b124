//! The vote of neighbours: lone noise goes, pinholes close, outlines stay where they are.

use super::bits::{WORD, within};
use super::mask::Mask;

/// Keep a foreground pixel when at least four of the eight around it are
/// foreground, and fill a street pixel when at least six are; beyond the rim
/// lies what is on it. What may be shadow does not count, and stays so.
///
/// The pixels of a word are counted at once, digit by digit. Buffers are kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Majority {
    /// Foreground, row by row, the outermost rows twice.
    lit: Vec<u64>,
    /// How many of three rows are foreground in each column: ones and twos, a word more on either side.
    ones: Vec<u64>,
    twos: Vec<u64>,
}

impl Majority {
    /// Fill `out` with `labels` after the vote.
    pub fn vote(&mut self, labels: &Mask, out: &mut Mask, arch: pulp::Arch) {
        if labels.width < 3 {
            *out = Mask::new(labels.width, labels.height);
            return;
        }
        arch.dispatch(Vote { buffers: self, labels, out });
    }
}

/// A call of [`Majority::vote`], for the reason of `Reduce` in `ss_model`.
struct Vote<'a> {
    buffers: &'a mut Majority,
    labels: &'a Mask,
    out: &'a mut Mask,
}

impl pulp::NullaryFnOnce for Vote<'_> {
    type Output = ();

    #[inline(always)]
    #[allow(clippy::inline_always)] // the very point
    fn call(self) {
        let Self { buffers: Majority { lit, ones, twos }, labels, out } = self;
        let (w, h, n) = (labels.width, labels.height, labels.width.div_ceil(WORD));
        lit.resize(n * (h + 2), 0);
        for (y, lit) in lit.chunks_exact_mut(n).enumerate() {
            let y = y.saturating_sub(1).min(h - 1);
            let pixels = labels.set.row(y).iter().zip(labels.shade.row(y));
            lit.iter_mut().zip(pixels).for_each(|(lit, (set, shade))| *lit = set & !shade);
        }
        ones.resize(n + 2, 0);
        twos.resize(n + 2, 0);
        for y in 0..h {
            let rows = &lit[y * n..(y + 3) * n];
            let ((above, here), below) = (rows[..2 * n].split_at(n), &rows[2 * n..]);
            if rows.iter().fold(0, |any, word| any | word) == 0 {
                // Nothing to count: nothing is kept or filled.
                out.set.row_mut(y).copy_from_slice(labels.shade.row(y));
                out.shade.row_mut(y).copy_from_slice(labels.shade.row(y));
                out.settled.row_mut(y).fill(0);
                continue;
            }
            let sums = ones[1..=n].iter_mut().zip(&mut twos[1..=n]);
            for ((((ones, twos), &a), &b), &c) in sums.zip(above).zip(here).zip(below) {
                (*ones, *twos) = (a ^ b ^ c, two_of(a, b, c));
            }
            for sums in [&mut *ones, &mut *twos] {
                sums[0] = sums[1] << (WORD - 1);
                sums[n + 1] = sums[n] >> (WORD - 1);
                if !w.is_multiple_of(WORD) {
                    sums[n] |= sums[n] << 1 & 1 << (w % WORD);
                }
            }
            let (set, settled, shade) = (out.set.row_mut(y), out.settled.row_mut(y), out.shade.row_mut(y));
            let shown = set.iter_mut().zip(settled).zip(shade);
            let before = here.iter().zip(labels.settled.row(y)).zip(labels.shade.row(y));
            let sums = ones.windows(3).zip(twos.windows(3));
            for ((((set, settled), shade), ((here, was_settled), was_shade)), (ones, twos)) in
                shown.zip(before).zip(sums)
            {
                // Nine pixels: `one` and twice as many as are set of the four.
                let ([a, b, c], [d, e, f]) = (beside(ones), beside(twos));
                let (one, g) = (a ^ b ^ c, two_of(a, b, c));
                let two = d & e | f & g | (d | e) & (f | g);
                let three = d & e & (f | g) | f & g & (d | e);
                let kept = here & (three | two & one);
                let filled = three & !here;
                *shade = was_shade & !filled;
                *settled = was_settled & kept;
                *set = kept | filled | *shade;
            }
            out.set.row_mut(y)[n - 1] &= within(&(0..w), n - 1);
        }
    }
}

/// The middle one of three words, each of its bits, and those to its left and right.
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn beside(words: &[u64]) -> [u64; 3] {
    [words[1] << 1 | words[0] >> (WORD - 1), words[1], words[1] >> 1 | words[2] << (WORD - 1)]
}

/// Where at least two of three are set.
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn two_of(a: u64, b: u64, c: u64) -> u64 {
    a & b | c & (a | b)
}

#[cfg(test)]
mod tests {
    use super::super::mask::label;
    use super::super::plane::Plane;
    use super::*;
    use proptest::prelude::*;

    /// Pixel by pixel.
    fn plain(labels: &Plane, x: usize, y: usize) -> u8 {
        let lit = |label: u8| label == label::MOVING || label == label::SETTLED;
        let near = |v: usize, by: isize, n: usize| v.saturating_add_signed(by).min(n - 1);
        let around = (-1..=1).flat_map(|v| (-1..=1).map(move |u| (u, v)));
        let count = around
            .filter(|&(u, v)| lit(labels.row(near(y, v, labels.height))[near(x, u, labels.width)]))
            .count();
        match labels.row(y)[x] {
            label if lit(label) && count >= 5 => label,
            label if lit(label) => label::STREET,
            _ if count >= 6 => label::MOVING,
            label => label & label::SHADOW,
        }
    }

    proptest! {
        #[test]
        fn the_vote_is_that_of_the_pixels(
            (width, data) in (3usize..200).prop_flat_map(|w| {
                let labels = vec![0, 0, 1, 1, 1, 2, 2, 4, 5, 6];
                (Just(w), prop::collection::vec(prop::sample::select(labels), w * 5))
            }),
            height in 1usize..6,
        ) {
            let labels = Plane { width, height, data: data[..width * height].to_vec() };
            let mut out = Mask::new(width, height);
            Majority::default().vote(&labels.clone().into(), &mut out, pulp::Arch::new());
            let out = Plane::from(out);
            for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                prop_assert_eq!(out.row(y)[x], plain(&labels, x, y), "({}, {})", x, y);
            }
        }
    }
}

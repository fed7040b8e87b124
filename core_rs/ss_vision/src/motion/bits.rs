//! Planes of one bit per pixel: what a pass over the bytes has found, 64
//! pixels to a word, so that the next pass visits only what is set.

use std::ops::Range;

use super::plane::Plane;

/// Pixels in a word.
pub(crate) const WORD: usize = u64::BITS as usize;

/// One bit per pixel; rows begin with a word, bits beyond a row's end are 0.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bits {
    /// Words in a row.
    stride: usize,
    words: Vec<u64>,
}

impl Bits {
    /// Nothing set, for pictures of `width`×`height`.
    pub fn new(width: usize, height: usize) -> Self {
        let stride = width.div_ceil(WORD);
        Self { stride, words: vec![0; stride * height] }
    }

    /// Set what is set in `other`.
    pub fn copy_from(&mut self, other: &Self) {
        self.stride = other.stride;
        self.words.clone_from(&other.words);
    }

    /// Set columns `xs` of row `y`.
    pub fn fill(&mut self, y: usize, xs: &Range<usize>) {
        let row = self.row_mut(y);
        words_of(xs).for_each(|k| row[k] |= within(xs, k));
    }

    /// Those of the 64 columns of row `y` from `x` on, the first one lowest; none beyond the picture.
    #[inline(always)]
    #[allow(clippy::inline_always)] // must become part of the dispatched functions
    pub fn from(&self, y: usize, x: usize) -> u64 {
        let (row, k, right) = (self.row(y), x / WORD, x % WORD);
        let word = |k: usize| row.get(k).copied().unwrap_or(0);
        // Two shifts, as one by a whole word is none.
        word(k) >> right | word(k + 1) << 1 << (WORD - 1 - right)
    }

    /// Nothing set, for pictures of `width`×`height`.
    pub fn clear(&mut self, width: usize, height: usize) {
        self.stride = width.div_ceil(WORD);
        self.words.clear();
        self.words.resize(self.stride * height, 0);
    }

    /// Set what has any of `flags` in `plane`; flags are among the lowest four bits.
    pub fn mark(&mut self, plane: &Plane, flags: u8) {
        self.clear(plane.width, plane.height);
        pulp::Arch::new().dispatch(Mark { bits: self, plane, flags, packer: Packer::new() });
    }

    #[inline(always)]
    #[allow(clippy::inline_always)] // must become part of the dispatched functions
    pub fn row(&self, y: usize) -> &[u64] {
        &self.words[y * self.stride..][..self.stride]
    }

    #[inline(always)]
    #[allow(clippy::inline_always)] // must become part of the dispatched functions
    pub fn row_mut(&mut self, y: usize) -> &mut [u64] {
        &mut self.words[y * self.stride..][..self.stride]
    }

    /// Gather into `any` (cleared first) which columns have one set in rows `ys`.
    pub fn any_of(&self, ys: Range<usize>, any: &mut Vec<u64>) {
        any.clear();
        any.resize(self.stride, 0);
        for y in ys {
            any.iter_mut().zip(self.row(y)).for_each(|(any, row)| *any |= row);
        }
    }

    /// How many are set in columns `xs` of row `y`.
    #[inline(always)]
    #[allow(clippy::inline_always)] // must become part of the dispatched functions
    pub fn count(&self, y: usize, xs: &Span) -> usize {
        let row = self.row(y);
        // Most runs lie in one word.
        if xs.first == xs.last {
            return (row[xs.first] & xs.after & xs.before).count_ones() as usize;
        }
        let ends = (row[xs.first] & xs.after).count_ones() + (row[xs.last] & xs.before).count_ones();
        let between = row[xs.first + 1..xs.last].iter().map(|word| word.count_ones()).sum::<u32>();
        (ends + between) as usize
    }

    /// Those of columns `8 * byte` to `8 * byte + 7` of row `y`, the first one lowest.
    pub fn eight(&self, y: usize, byte: usize) -> u8 {
        (self.words[y * self.stride + byte / 8] >> (byte % 8 * 8)) as u8
    }

    /// Gather into `near` (cleared first) the columns, eight by eight, beside or in which anything is
    /// set in row `y` or in those `apart` from it, above or below.
    pub fn near(&self, y: usize, apart: [usize; 3], near: &mut Vec<u64>) {
        let height = self.words.len() / self.stride.max(1);
        near.clear();
        near.resize(self.stride, 0);
        for d in apart {
            for y in [y.saturating_sub(d), (y + d).min(height - 1)] {
                near.iter_mut().zip(self.row(y)).for_each(|(near, row)| *near |= row);
            }
        }
        let mut before = 0;
        for k in 0..near.len() {
            let next = near.get(k + 1).map_or(0, |&word| whole_bytes(word));
            let here = if k == 0 { whole_bytes(near[0]) } else { near[k] };
            near[k] = here | here << 8 | here >> 8 | before >> (WORD - 8) | next << (WORD - 8);
            if let Some(word) = near.get_mut(k + 1) {
                *word = next;
            }
            before = here;
        }
    }

    #[inline(always)]
    #[allow(clippy::inline_always)] // must become part of the dispatched functions
    pub fn is_set(&self, x: usize, y: usize) -> bool {
        is_in(self.row(y), x) != 0
    }

    /// The columns where every run of set bits in row `y` begins and ends,
    /// left to right, in the buffer `ends`.
    #[inline(always)]
    #[allow(clippy::inline_always)] // must become part of the dispatched function
    pub fn runs<'a>(&self, y: usize, ends: &'a mut Vec<u32>) -> &'a [[u32; 2]] {
        let (mut found, mut before) = (0, 0);
        // Room for all, made once: asking for it at every edge costs more than finding it.
        if ends.len() <= self.stride * WORD {
            ends.resize(self.stride * WORD + 1, 0);
        }
        for (k, &word) in self.row(y).iter().enumerate() {
            // Set where a run begins or has just ended.
            let mut edges = word ^ (word << 1 | before);
            before = word >> (WORD - 1);
            while edges != 0 {
                ends[found] = (k * WORD) as u32 + edges.trailing_zeros();
                found += 1;
                edges &= edges - 1;
            }
        }
        ends[found] = (self.stride * WORD) as u32;
        ends[..found + before as usize].as_chunks().0
    }

    /// Call `each` with the columns in `xs`, and whether they are set, where row `y` differs from itself
    /// `right` columns further (fewer than a word) and `down` rows further. The
    /// place compared with must lie in the picture.
    #[inline(always)]
    #[allow(clippy::inline_always)] // as a call it costs more than what it does
    pub fn each_change(
        &self,
        y: usize,
        xs: &Range<usize>,
        (right, down): (usize, usize),
        mut each: impl FnMut(usize, bool),
    ) {
        let row = self.row(y);
        for k in words_of(xs) {
            let (word, moved) = (row[k], self.from(y + down, k * WORD + right));
            for_each_set((word ^ moved) & within(xs, k), |bit| each(k * WORD + bit, word >> bit & 1 != 0));
        }
    }
}

/// A call of [`Bits::mark`].
struct Mark<'a> {
    bits: &'a mut Bits,
    plane: &'a Plane,
    flags: u8,
    packer: Packer,
}

impl pulp::NullaryFnOnce for Mark<'_> {
    type Output = ();

    #[inline(always)]
    #[allow(clippy::inline_always)] // the very point
    fn call(self) {
        for y in 0..self.plane.height {
            for (k, word) in self.bits.row_mut(y).iter_mut().enumerate() {
                *word = self.packer.pack(&pixels(self.plane.row(y), k), self.flags);
            }
        }
    }
}

/// Makes bits of bytes, by one instruction where the machine has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packer {
    #[cfg(target_arch = "x86_64")]
    simd: Option<pulp::x86::V3>,
}

impl Packer {
    pub fn new() -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            simd: pulp::x86::V3::try_new(),
        }
    }

    /// Bit `i` is set where pixel `i` has any of `flags`, which are among the
    /// lowest four bits. To be called in what `pulp` dispatches.
    #[inline(always)]
    #[allow(clippy::inline_always)] // must become part of the dispatched function
    pub fn pack(self, pixels: &[u8; WORD], flags: u8) -> u64 {
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = self.simd {
            let half = |pixels: [u8; WORD / 2]| {
                let all =
                    simd.avx2._mm256_and_si256(pulp::cast(pixels), simd.avx._mm256_set1_epi8(flags as i8));
                let set = simd.avx2._mm256_cmpgt_epi8(all, simd.avx._mm256_setzero_si256());
                u64::from(simd.avx2._mm256_movemask_epi8(set) as u32)
            };
            let [low, high]: [[u8; WORD / 2]; 2] = pulp::cast(*pixels);
            return half(low) | half(high) << (WORD / 2);
        }
        pack(*pixels, flags)
    }
}

/// The same with plain arithmetic.
#[inline]
fn pack(pixels: [u8; WORD], flags: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // Most of a picture is street; the compiler makes vector code of this.
    if pixels.iter().fold(0, |all, &pixel| all | pixel) & flags == 0 {
        return 0;
    }
    pixels.as_chunks::<8>().0.iter().enumerate().fold(0, |word, (i, &bytes)| {
        let mut any = u64::from_le_bytes(bytes) & (ONES * u64::from(flags));
        any |= any >> 2;
        any |= any >> 1;
        // Moves byte i's lowest bit to bit 56 + i; no two products meet, so nothing carries.
        word | ((any & ONES).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i)
    })
}

/// Every byte that is not 0 filled.
fn whole_bytes(word: u64) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let highest = (((word & LOW) + LOW) | word) & !LOW;
    (highest >> 7) * 0xff
}

/// Byte `i` is 1 where bit `i` is set, else 0.
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched functions
pub(crate) fn expand(bits: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // Each byte keeps its own bit, which then carries into its highest one.
    let own = (u64::from(bits) * ONES) & 0x8040_2010_0804_0201;
    ((own + 0x7f * ONES) >> 7) & ONES
}

/// Columns `64 * k` to `64 * k + 63` of a `row` of pixels; 0 beyond its end.
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched functions
pub(crate) fn pixels(row: &[u8], k: usize) -> [u8; WORD] {
    let (words, last) = row.as_chunks();
    if k < words.len() { words[k] } else { whole(last) }
}

/// A word that begins with `pixels`, fewer than it holds; then 0.
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched functions
pub(crate) fn whole(pixels: &[u8]) -> [u8; WORD] {
    let mut word = [0; WORD];
    word[..pixels.len()].copy_from_slice(pixels);
    word
}

/// Call `each` with the place of every set bit, lowest first.
#[inline(always)]
#[allow(clippy::inline_always)] // as a call it costs more than what it does
pub(crate) fn for_each_set(mut word: u64, mut each: impl FnMut(usize)) {
    while word != 0 {
        each(word.trailing_zeros() as usize);
        word &= word - 1;
    }
}

/// 1 where column `x` is set in `row`, else 0.
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched functions
pub(crate) fn is_in(row: &[u64], x: usize) -> usize {
    (row[x / WORD] >> (x % WORD) & 1) as usize
}

/// Columns, one at least, by the words that hold them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    first: usize,
    last: usize,
    /// The bits from the first column on, and those up to the last one.
    after: u64,
    before: u64,
}

impl Span {
    /// Columns `xs`, which are not empty.
    #[inline(always)]
    #[allow(clippy::inline_always)] // must become part of the dispatched functions
    pub fn of(xs: &Range<usize>) -> Self {
        let end = xs.end - 1;
        Self {
            first: xs.start / WORD,
            last: end / WORD,
            after: u64::MAX << (xs.start % WORD),
            before: u64::MAX >> (WORD - 1 - end % WORD),
        }
    }
}

/// Words that hold the columns `xs`.
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched functions
pub(crate) fn words_of(xs: &Range<usize>) -> Range<usize> {
    if xs.is_empty() { 0..0 } else { xs.start / WORD..xs.end.div_ceil(WORD) }
}

/// The bits of word `k` that lie in the columns `xs`.
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched functions
pub(crate) fn within(xs: &Range<usize>, k: usize) -> u64 {
    let start = xs.start.saturating_sub(k * WORD);
    let end = xs.end - k * WORD;
    (u64::MAX << start) & if end < WORD { !(u64::MAX << end) } else { u64::MAX }
}

/// All bits where `yes`: a choice that the compiler makes vector code of.
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
pub fn full(yes: bool) -> u8 {
    0u8.wrapping_sub(u8::from(yes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bits_say_what_the_bytes_say(
            (width, data) in (1usize..200).prop_flat_map(|w| (Just(w), prop::collection::vec(0u8..16, 3 * w))),
            flags in 1u8..16, (from, to) in (0usize..200, 0usize..200), right in 0usize..5,
        ) {
            let plane = Plane { width, height: 3, data };
            let mut bits = Bits::default();
            bits.mark(&plane, flags);
            let word = std::array::from_fn(|i| plane.data[i % plane.data.len()]);
            prop_assert_eq!(Packer::new().pack(&word, flags), pack(word, flags));
            let set = |x: usize, y: usize| plane.row(y)[x] & flags != 0;
            let xs = from.min(width)..to.clamp(from.min(width), width);
            for y in 0..3 {
                prop_assert!((0..width).all(|x| bits.is_set(x, y) == set(x, y)));
                if !xs.is_empty() {
                    prop_assert_eq!(bits.count(y, &Span::of(&xs)), xs.clone().filter(|&x| set(x, y)).count());
                }
                let mut near = Vec::new();
                bits.near(y, [0, 1, 2], &mut near);
                for x in 0..width {
                    let eight = x / 8 * 8;
                    let inside = eight.saturating_sub(8)..(eight + 16).min(width);
                    let any = (0..3).any(|v| inside.clone().any(|u| set(u, v)));
                    // Rows are so few that every one is near.
                    prop_assert_eq!(near[x / WORD] >> (x % WORD) & 1 != 0, any, "column {} of {}", x, width);
                }
                let mut ends = Vec::new();
                let runs: Vec<_> =
                    bits.runs(y, &mut ends).iter().map(|&[x1, x2]| (x1 as usize, x2 as usize)).collect();
                let begins: Vec<_> = (0..width).filter(|&x| set(x, y) && (x == 0 || !set(x - 1, y))).collect();
                let ends: Vec<_> =
                    (1..=width).filter(|&x| set(x - 1, y) && (x == width || !set(x, y))).collect();
                prop_assert_eq!(runs, begins.into_iter().zip(ends).collect::<Vec<_>>());
            }
            for (x, y) in (0..width).flat_map(|x| (0..3).map(move |y| (x, y))) {
                prop_assert_eq!(bits.eight(y, x / 8) >> (x % 8) & 1 != 0, set(x, y));
                let (ahead, few) = (bits.from(y, x), expand(bits.from(y, x) as u8).to_le_bytes());
                prop_assert!((0..WORD).all(|i| (ahead >> i & 1 != 0) == (x + i < width && set(x + i, y))));
                prop_assert!((0..8).all(|i| u64::from(few[i]) == ahead >> i & 1));
                let here = pixels(plane.row(y), x / WORD);
                prop_assert_eq!(here[x % WORD], plane.row(y)[x]);
            }
            let mut any = Vec::new();
            bits.any_of(1..3, &mut any);
            prop_assert!((0..width).all(|x| (is_in(&any, x) != 0) == (set(x, 1) || set(x, 2))));
            let xs = xs.start..xs.end.min(width.saturating_sub(right)).max(xs.start);
            for (y, down) in [(0, 0), (0, 2), (1, 1)] {
                let mut changes = Vec::new();
                bits.each_change(y, &xs, (right, down), |x, is_set| {
                    changes.push(x);
                    assert_eq!(is_set, set(x, y));
                });
                let expected: Vec<_> =
                    xs.clone().filter(|&x| x + right < width && set(x, y) != set(x + right, y + down)).collect();
                if xs.end + right <= width {
                    prop_assert_eq!(changes, expected);
                }
            }
        }
    }
}

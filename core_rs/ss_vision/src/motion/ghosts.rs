//! Settled foreground that is no road user: the street that a vehicle had
//! hidden since the first picture, or litter that nobody tracks.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::background::Background;
use super::bits::{Bits, for_each_set};
use super::camera::Rect;
use super::plane::Plane;

/// Side of the tiles that are judged together.
const TILE: usize = 8;
/// Tiles are judged in turn, one in this many per frame.
const TURNS: usize = 4;
/// Age in ticks of 40 ms before settled foreground is judged: 1 s.
const JUDGE_TICKS: u8 = 25;
/// Pixels from the inside of an outline to the outside: one between them may
/// pass for street by the tolerance for shake.
const RIM: usize = 2;
/// Pixel pairs across an outline that are enough to judge it.
const MIN_PAIRS: u32 = 4;
/// Levels up to which neighbours are of one surface.
const SAME: u8 = 8;
/// Settled pixels that make a tile worth a look.
const MIN_SETTLED: usize = 4;

/// How long each tile has held settled foreground that nobody tracks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ghosts {
    /// Seconds; columns of tiles first.
    waited_s: Vec<f32>,
}

impl Ghosts {
    pub fn new(width: usize, height: usize) -> Self {
        Self { waited_s: vec![0.0; width.div_ceil(TILE) * height.div_ceil(TILE)] }
    }

    /// A snapshot may lie.
    pub fn fits(&self, width: usize, height: usize) -> bool {
        self.waited_s.len() == width.div_ceil(TILE) * height.div_ceil(TILE)
    }

    /// Make settled foreground that `spared` does not hold on to part of the
    /// street: at once where it shows what was hidden, else after `hold_s`.
    /// What shows revealed street may look like its shadow.
    ///
    /// Inside a large ghost there is no outline to judge; it is eaten from its
    /// rim, one tile per turn.
    pub fn absorb(
        &mut self,
        background: &mut Background,
        (picture, foreground, settled): (&Plane, &Bits, &Bits),
        (frame, elapsed_s, hold_s): (u64, f32, f32),
        spared: &Spared,
    ) {
        let turn = frame as usize % TURNS;
        let columns = picture.width.div_ceil(TILE);
        let mut any = Vec::new();
        for (row, tiles) in self.waited_s.chunks_mut(columns).enumerate() {
            let ys = row * TILE..((row + 1) * TILE).min(picture.height);
            settled.any_of(ys.clone(), &mut any);
            let first = (TURNS + turn - row % TURNS) % TURNS;
            for column in (first..columns).step_by(TURNS) {
                let waited_s = &mut tiles[column];
                let xs = column * TILE..((column + 1) * TILE).min(picture.width);
                // In most tiles nothing has settled.
                if (any[column / 8] >> (column % 8 * TILE)) as u8 == 0 {
                    *waited_s = 0.0;
                    continue;
                }
                let mut waiting = [0; TILE];
                for (waiting, y) in waiting.iter_mut().zip(ys.clone()) {
                    let here = settled.eight(y, column);
                    if here != 0 {
                        *waiting = here & judged(&background.ages(y)[xs.clone()]) & !spared.row(y, &xs);
                    }
                }
                let count: usize = waiting.iter().map(|row| row.count_ones() as usize).sum();
                if count < MIN_SETTLED {
                    *waited_s = 0.0;
                    continue;
                }
                *waited_s += elapsed_s * TURNS as f32;
                let tile =
                    Rect { x1: xs.start as f32, y1: ys.start as f32, x2: xs.end as f32, y2: ys.end as f32 };
                let overdue = *waited_s >= hold_s;
                let revealed = overdue || is_revealed(background, picture, foreground, &tile);
                let mut recurrent = 0;
                for (&waiting, y) in waiting.iter().zip(ys.clone()) {
                    for_each_set(waiting.into(), |i| {
                        recurrent += usize::from(background.is_recurrent(xs.start + i, y));
                    });
                }
                let recurrent = 2 * recurrent >= count;
                if !revealed && !recurrent {
                    continue;
                }
                // The rim that passes for street by the tolerance for shake goes, too.
                let rim = if revealed { RIM as f32 } else { 0.0 };
                let (xs, ys) = tile.grown_by(rim).pixels(picture.width, picture.height);
                for y in ys {
                    for x in xs.clone() {
                        if background.age(x, y) < JUDGE_TICKS || spared.holds(x, y) {
                            continue;
                        }
                        let untrusted = revealed && !background.is_trusted(x, y);
                        if overdue || untrusted || recurrent && background.is_recurrent(x, y) {
                            background.absorb(y, x, x + 1);
                        }
                    }
                }
            }
        }
    }
}

/// Pixels held on to, as road users that stand there are tracked.
pub(crate) struct Spared<'a> {
    /// Whose place each pixel is, and of whom it is held.
    pub owner: &'a Plane,
    pub held: &'a [bool; 256],
}

impl Spared<'_> {
    fn holds(&self, x: usize, y: usize) -> bool {
        self.held[usize::from(self.owner.row(y)[x])]
    }

    /// Bit `i` for the `i`th of at most eight columns `xs` of row `y`.
    fn row(&self, y: usize, xs: &Range<usize>) -> u8 {
        let owners = &self.owner.row(y)[xs.clone()];
        // Most places are nobody's, who is not held.
        if !self.held[0] && eight(owners) == 0 {
            return 0;
        }
        owners.iter().enumerate().fold(0, |bits, (i, &o)| bits | u8::from(self.held[usize::from(o)]) << i)
    }
}

/// At most eight bytes in one number, the first one lowest.
fn eight(bytes: &[u8]) -> u64 {
    let padded = || {
        let mut all = [0; 8];
        all[..bytes.len()].copy_from_slice(bytes);
        all
    };
    u64::from_le_bytes(bytes.first_chunk().copied().unwrap_or_else(padded))
}

/// Bit `i` for the `i`th of at most eight pixels: it is as it is for long enough.
fn judged(ages: &[u8]) -> u8 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (ages, high) = (eight(ages), 0x80 * ONES);
    // The highest bit of each byte that is, or reaches 128 by what 25 lacks of it.
    let old = (((ages & !high) + (0x80 - u64::from(JUDGE_TICKS)) * ONES) | ages) & high;
    // Moves byte i's bit to bit 56 + i; no two products meet, so nothing carries.
    ((old >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

/// The outline of the foreground in `rect` is in the model but not in the
/// picture: street has been revealed, nobody has come. What the model shows
/// where it is trusted is street: something hides a marking.
pub(crate) fn is_revealed(background: &Background, picture: &Plane, foreground: &Bits, rect: &Rect) -> bool {
    let (street, width) = (&background.level.data, picture.width);
    let picture_at = &picture.data;
    let (xs, ys) = rect.grown_by(RIM as f32).pixels(width, picture.height);
    let (mut pairs, mut model, mut now) = (0u32, 0u32, 0u32);
    // Of two pixels one is street, the other is not; which of them, no branch has to guess.
    let mut look = |here: usize, there: usize, is_street: bool| {
        let (beside, other) = if is_street { (here, there) } else { (there, here) };
        let level = picture_at[beside];
        // Street by the tolerance for shake alone proves nothing.
        let counts =
            u32::from(level.abs_diff(street[beside]) <= SAME) & u32::from(!background.is_trusted_at(other));
        pairs += counts;
        model += counts * u32::from(street[other].abs_diff(level));
        now += counts * u32::from(picture_at[other].abs_diff(level));
    };
    let with_right = xs.start..xs.end.min(width.saturating_sub(RIM)).max(xs.start);
    for y in ys {
        let row = y * width;
        foreground.each_change(y, &with_right, (RIM, 0), |x, set| look(row + x, row + x + RIM, !set));
        if y + RIM < picture.height {
            let below = row + RIM * width;
            foreground.each_change(y, &xs, (0, RIM), |x, set| look(row + x, below + x, !set));
        }
    }
    pairs >= MIN_PAIRS && now <= u32::from(SAME) * pairs && model > 2 * now.max(u32::from(SAME) * pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same as [`is_revealed`], pair by pair.
    fn plain(background: &Background, picture: &Plane, set: &Bits, rect: &Rect) -> bool {
        let (w, h) = (picture.width, picture.height);
        let (xs, ys) = rect.grown_by(RIM as f32).pixels(w, h);
        let (mut pairs, mut model, mut now) = (0, 0, 0);
        for (x, y) in ys.flat_map(|y| xs.clone().map(move |x| (x, y))) {
            for (u, v) in [(x + RIM, y), (x, y + RIM)].into_iter().filter(|&(u, v)| u < w && v < h) {
                if set.is_set(x, y) == set.is_set(u, v) {
                    continue;
                }
                let ((x, y), (u, v)) = if set.is_set(x, y) { ((u, v), (x, y)) } else { ((x, y), (u, v)) };
                let level = picture.row(y)[x];
                if level.abs_diff(background.level.row(y)[x]) <= SAME && !background.is_trusted(u, v) {
                    pairs += 1;
                    model += u32::from(background.level.row(v)[u].abs_diff(level));
                    now += u32::from(picture.row(v)[u].abs_diff(level));
                }
            }
        }
        let same = u32::from(SAME) * pairs;
        pairs >= MIN_PAIRS && now <= same && model > 2 * now.max(same)
    }

    proptest! {
        #[test]
        fn what_is_revealed_is_told_by_the_pairs_across_the_outline(
            width in 1usize..200, hidden in (0usize..200, 0usize..20, 1usize..200, 1usize..20),
            asked in (-9f32..200.0, -9f32..20.0, 0f32..200.0, 0f32..20.0), levels in (0u8..70, 0u8..70, 0u8..9),
        ) {
            // A patch of the street was hidden; what it shows now is about as light as the street around it.
            let (mut street, mut picture) = (Plane::new(width, 20, 60), Plane::new(width, 20, 60));
            let mut set = Bits::new(width, 20);
            let columns = hidden.0.min(width)..(hidden.0 + hidden.2).min(width);
            for y in hidden.1..(hidden.1 + hidden.3).min(20) {
                street.row_mut(y)[columns.clone()].fill(levels.0);
                picture.row_mut(y)[columns.clone()].fill(if levels.2 > 1 { 58 + levels.2 } else { levels.1 });
                set.fill(y, &columns);
            }
            let background = Background::new(&street, 10);
            let rect = Rect { x1: asked.0, y1: asked.1, x2: asked.0 + asked.2, y2: asked.1 + asked.3 };
            let told = is_revealed(&background, &picture, &set, &rect);
            prop_assert_eq!(told, plain(&background, &picture, &set, &rect));
        }
    }

    #[test]
    fn pixels_are_judged_at_their_age() {
        for age in 0..=u8::MAX {
            for i in 0..8 {
                let mut ages = [0; 8];
                ages[i] = age;
                assert_eq!(judged(&ages), u8::from(age >= JUDGE_TICKS) << i);
                assert_eq!(judged(&ages[..=i]), u8::from(age >= JUDGE_TICKS) << i);
            }
        }
        assert_eq!(judged(&[255, 25, 24, 0, 127, 128, 26]), 0b111_0011);
    }
}

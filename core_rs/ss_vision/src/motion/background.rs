//! Two-rate background model, one byte planes throughout.
//!
//! The slow model is the empty street: a sigma-delta estimate of level and
//! noise. The fast model is "what has been here for a moment": a candidate
//! level with its age. Together they tell three kinds of pixel apart:
//!
//! | differs from slow | settled in fast | meaning |
//! |---|---|---|
//! | no | – | street |
//! | yes | no | something moves here |
//! | yes | yes | something stopped here, or left and shows what it had hidden |
//!
//! The fast model settles in a fixed time whatever the contrast, unlike a
//! running mean. The slow one is never updated under foreground; what to do
//! with settled foreground is decided per object, not per pixel.
//!
//! Source: Manzanera & Richefeu 2007, A new motion detection algorithm based
//! on Σ-Δ background estimation (slow model); the candidate with an age is
//! the cached-codeword idea of Kim et al. 2005, Real-time
//! foreground-background segmentation using codebook model.

use pulp::NullaryFnOnce;
use serde::{Deserialize, Serialize};

use super::bits::{Bits, Packer, WORD, expand, full, whole};
use super::classify::{Classify, SETTLED_TICKS};
use super::mask::{Mask, label};
use super::plane::Plane;

/// What has happened to a pixel, packed into one byte.
///
/// A street comes back whenever a vehicle has passed; vehicles of one level do
/// not stop at one place time after time. So whichever of two levels returns
/// is the street, and neither contrast nor outline is asked.
mod past {
    /// What it shows now: changes, street or the rival.
    pub const MODE: u8 = 3;
    pub const UNSETTLED: u8 = 0;
    pub const AT_STREET: u8 = 1;
    pub const AT_RIVAL: u8 = 2;
    /// The street there was never seen, and the first picture's level is still there.
    pub const GUESSED: u8 = 4;
    /// How often the street has come back, at most 3.
    pub const TRUST: u8 = 0x18;
    pub const TRUSTED: u8 = 0x08;
    /// One visit of the rival since the street was last seen; the highest bits count them.
    pub const VISIT: u8 = 0x20;
}

/// Visits that make the rival the street where the street has never come
/// back; where it has, two more for each time.
const ENOUGH_VISITS: u8 = 3;
/// As many as are counted.
const MOST_VISITS: u8 = 7;

/// Rows above and below in which foreground is near.
const NEAR_ROWS: [usize; 3] = [0, 3, 6];

/// One row in this many takes part in the slow update of a frame: the
/// street changes slowly, and this makes the update almost free.
const STRIDE: usize = 8;
/// State of every pixel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Background {
    /// Level of the street.
    pub level: Plane,
    /// Half the way to the smallest and largest street level in the 3×3
    /// neighbourhood: tolerance for shake of half a pixel and for ringing
    /// along sharp edges. A whole pixel would hide every light jacket beside
    /// a marking, and the line to be crossed is one.
    low: Plane,
    high: Plane,
    /// Threshold by the pixel's own noise.
    threshold: Plane,
    /// Fast model: level and how long it has held, in ticks.
    candidate: Plane,
    age: Plane,
    /// Level that settled last: what was hidden for a moment is known again
    /// at once when it reappears.
    settled: Plane,
    /// The other level a pixel has had for a while, and what has happened to
    /// it: see [`past`].
    rival: Plane,
    history: Plane,
    /// Least threshold, from the noise of the whole picture.
    floor: u8,
    /// Row phase of the slow update.
    phase: usize,
    /// Buffers of one row.
    #[serde(skip)]
    near: Vec<u64>,
    #[serde(skip)]
    gate: Vec<u8>,
}

impl Background {
    /// The first picture is taken for the street.
    pub fn new(picture: &Plane, floor: u8) -> Self {
        let like = |value| Plane::new(picture.width, picture.height, value);
        let mut model = Self {
            level: picture.clone(),
            low: like(0),
            high: like(0),
            threshold: like(floor),
            candidate: picture.clone(),
            age: like(0),
            settled: picture.clone(),
            rival: picture.clone(),
            history: like(past::AT_STREET),
            floor,
            phase: 0,
            near: Vec::new(),
            gate: Vec::new(),
        };
        model.refresh();
        model
    }

    /// Label every pixel of `picture` street, moving or settled and advance the fast model by `ticks`.
    pub fn classify(&mut self, picture: &Plane, ticks: u8, labels: &mut Mask, arch: pulp::Arch) {
        arch.dispatch(Classify {
            picture,
            slow: [&self.low, &self.high, &self.threshold],
            fast: [&mut self.candidate, &mut self.age, &mut self.settled],
            settle: self.floor,
            ticks,
            labels,
            packer: Packer::new(),
        });
    }

    /// Slow update of this frame's share of the rows where `labels` say street
    /// and no `foreground` is near (a vehicle has parts as grey as the street):
    /// towards the raw picture where the one with its exposure taken off shows the street.
    pub fn update(
        &mut self,
        (picture, raw): (&Plane, &Plane),
        labels: &Bits,
        foreground: &Bits,
        arch: pulp::Arch,
    ) {
        let mut y = self.phase;
        let (mut near, mut gate) = (std::mem::take(&mut self.near), std::mem::take(&mut self.gate));
        while y < picture.height {
            self.remember(y, arch);
            foreground.near(y, NEAR_ROWS, &mut near);
            gate.resize(near.len() * WORD, 0);
            let bytes = gate.as_chunks_mut::<WORD>().0.iter_mut().zip(&near).zip(labels.row(y));
            for ((bytes, near), label) in bytes {
                let eights = bytes.as_chunks_mut().0.iter_mut().zip((near | label).to_le_bytes());
                eights.for_each(|(eight, bits)| *eight = expand(bits).to_le_bytes());
            }
            let seen = Some([picture.row(y), raw.row(y), &gate[..]]);
            arch.dispatch(Refresh { row: y, model: &mut *self, seen });
            y += STRIDE;
        }
        (self.near, self.gate) = (near, gate);
        self.phase = (self.phase + 1) % STRIDE;
    }

    /// Take the settled level for the street at pixels `x1..x2` of row `y`.
    pub fn absorb(&mut self, y: usize, x1: usize, x2: usize) {
        let range = y * self.level.width + x1..y * self.level.width + x2;
        self.level.data[range.clone()].copy_from_slice(&self.candidate.data[range.clone()]);
        self.threshold.data[range.clone()].fill(self.floor.saturating_mul(2).min(MAX_THRESHOLD));
        self.history.data[range].fill(past::AT_STREET);
    }

    /// Renew what follows from the level, after guesses.
    pub fn refresh(&mut self) {
        for y in 0..self.level.height {
            Refresh { row: y, model: self, seen: None }.call();
        }
    }

    /// The level at `(x, y)` is a guess at what something hides that is in the picture.
    pub fn guess(&mut self, x: usize, y: usize, level: u8) {
        let at = y * self.level.width + x;
        self.level.data[at] = level;
        self.age.data[at] = SETTLED_TICKS;
        self.history.data[at] = past::AT_RIVAL | past::GUESSED;
    }

    /// The street at `(x, y)` has been seen, hidden and seen again: what
    /// settles there is no street, whatever its outline says.
    pub fn is_trusted(&self, x: usize, y: usize) -> bool {
        self.is_trusted_at(y * self.level.width + x)
    }

    /// The same for the pixel at that place of the plane.
    pub fn is_trusted_at(&self, at: usize) -> bool {
        self.history.data[at] & past::TRUST != 0
    }

    /// What has settled at `(x, y)` comes back again and again, the street
    /// of the model does not.
    pub fn is_recurrent(&self, x: usize, y: usize) -> bool {
        let at = y * self.level.width + x;
        let history = self.history.data[at];
        let visits = history / past::VISIT;
        let needed = ENOUGH_VISITS + 2 * (history & past::TRUST) / past::TRUSTED;
        visits >= needed.min(MOST_VISITS)
            && self.rival.data[at].abs_diff(self.candidate.data[at]) <= self.floor
    }

    /// Note what has settled in row `y` since its last turn.
    fn remember(&mut self, y: usize, arch: pulp::Arch) {
        let now = [self.level.row(y), self.candidate.row(y), self.age.row(y)];
        let (rival, history, floor) = (self.rival.row_mut(y), self.history.row_mut(y), self.floor);
        arch.dispatch(Remember { now, rival, history, floor });
    }

    /// How long the pixel has looked as it does, in ticks of 40 ms, up to 255.
    pub fn age(&self, x: usize, y: usize) -> u8 {
        self.age.data[y * self.age.width + x]
    }

    /// The same for all pixels of row `y`.
    pub fn ages(&self, y: usize) -> &[u8] {
        self.age.row(y)
    }

    /// Sizes agree with a picture of `width`×`height`; a snapshot may lie.
    pub fn fits(&self, width: usize, height: usize) -> bool {
        let planes = [&self.level, &self.low, &self.high, &self.threshold, &self.candidate, &self.age];
        planes.iter().chain(&[&self.settled, &self.rival, &self.history]).all(|p| p.is(width, height))
            && self.phase < STRIDE
    }
}

/// No street is so restless that a contrast of an eighth of the range is noise.
const MAX_THRESHOLD: u8 = 32;

/// One row of the slow model: follow what is `seen`, picture, raw picture and
/// labels, then renew the range of the street around every pixel.
struct Refresh<'a> {
    row: usize,
    model: &'a mut Background,
    seen: Option<[&'a [u8]; 3]>,
}

impl pulp::NullaryFnOnce for Refresh<'_> {
    type Output = ();

    #[inline(always)]
    #[allow(clippy::inline_always)] // must become part of the dispatched function
    fn call(self) {
        let Self { row: y, model, seen } = self;
        if let Some(seen) = seen {
            follow(model.level.row_mut(y), model.threshold.row_mut(y), seen, model.floor);
        }
        let (above, below) = (y.saturating_sub(1), (y + 1).min(model.level.height - 1));
        let rows = [above, y, below].map(|r| model.level.row(r));
        spread(rows, model.low.row_mut(y), model.high.row_mut(y));
    }
}

/// A step towards the picture where it is street, for level and noise alike.
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn follow(level: &mut [u8], threshold: &mut [u8], [picture, raw, labels]: [&[u8]; 3], floor: u8) {
    for ((((b, t), &i), &r), &l) in level.iter_mut().zip(threshold).zip(picture).zip(raw).zip(labels) {
        let difference = i.abs_diff(*b);
        // By its own level: beside a marking the tolerance for shake
        // would let whatever stands there creep into the model.
        let step = u8::from(l == label::STREET) & u8::from(difference <= *t);
        // The threshold is six times the mean absolute difference: 5 σ of Gaussian noise, whose mean absolute
        // value is 0.8 σ, within rounding. Bytes hold whatever threshold there may be.
        let (twice, more) = (difference.saturating_add(difference), u8::saturating_add);
        let wanted = more(more(twice, twice), twice);
        let (up, down) = (u8::from(wanted > *t), u8::from(wanted < *t));
        *b = b.wrapping_add(step & u8::from(r > *b)).wrapping_sub(step & u8::from(r < *b));
        *t = t.saturating_add(step & up).wrapping_sub(step & down).max(floor).min(MAX_THRESHOLD);
    }
}

/// A call of [`remember`], for the reason of `Reduce` in `ss_model`.
struct Remember<'a> {
    /// Level, candidate and age.
    now: [&'a [u8]; 3],
    rival: &'a mut [u8],
    history: &'a mut [u8],
    floor: u8,
}

impl pulp::NullaryFnOnce for Remember<'_> {
    type Output = ();

    #[inline(always)]
    #[allow(clippy::inline_always)] // the very point
    fn call(self) {
        remember(self.now, self.rival, self.history, self.floor);
    }
}

/// The history of a row, after what its pixels show now.
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn remember([level, candidate, age]: [&[u8]; 3], rival: &mut [u8], history: &mut [u8], floor: u8) {
    let (l, l_last) = level.as_chunks();
    let (c, c_last) = candidate.as_chunks();
    let (a, a_last) = age.as_chunks();
    let (r, r_last) = rival.as_chunks_mut();
    let (h, h_last) = history.as_chunks_mut();
    for ((((l, c), a), r), h) in l.iter().zip(c).zip(a).zip(r).zip(h) {
        remember_word([l, c, a], r, h, floor);
    }
    if !l_last.is_empty() {
        let (mut r, mut h) = (whole(r_last), whole(h_last));
        remember_word([&whole(l_last), &whole(c_last), &whole(a_last)], &mut r, &mut h, floor);
        r_last.copy_from_slice(&r[..r_last.len()]);
        h_last.copy_from_slice(&h[..h_last.len()]);
    }
}

/// The same of a word of pixels.
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn remember_word(
    [level, candidate, age]: [&[u8; WORD]; 3],
    rival: &mut [u8; WORD],
    history: &mut [u8; WORD],
    floor: u8,
) {
    let mut restless = 0;
    for at in 0..WORD {
        restless |= SETTLED_TICKS.saturating_sub(age[at])
            | (history[at] & past::MODE ^ past::AT_STREET)
            | candidate[at].abs_diff(level[at]).saturating_sub(floor);
    }
    if restless == 0 {
        return;
    }
    for at in 0..WORD {
        let (before, candidate) = (history[at], candidate[at]);
        let (rest, mode) = (before & !past::MODE, before & past::MODE);
        let young = full(age[at] < SETTLED_TICKS);
        let at_street = full(candidate.abs_diff(level[at]) <= floor);
        let at_rival = full(candidate.abs_diff(rival[at]) <= floor);
        let trust = (before & past::TRUST).wrapping_add(past::TRUSTED).min(past::TRUST);
        let stayed = full(mode == past::AT_STREET);
        let street = (stayed & before) | (!stayed & (past::AT_STREET | trust));
        let again = full(mode == past::UNSETTLED)
            & full(before & past::GUESSED == 0)
            & full(before < MOST_VISITS * past::VISIT);
        let returned = (rest | past::AT_RIVAL).wrapping_add(again & past::VISIT);
        let other = past::AT_RIVAL | before & past::TRUST | past::VISIT;
        let settled = (at_street & street) | (!at_street & ((at_rival & returned) | (!at_rival & other)));
        history[at] = (young & (rest | past::UNSETTLED)) | (!young & settled);
        let new = !young & !at_street & !at_rival;
        rival[at] = (new & candidate) | (!new & rival[at]);
    }
}

/// Pixels that are spread at a time.
const BLOCK: usize = 512;

/// Half the way to the smallest and largest of the 3×3 pixels around each of the middle one of `rows`.
///
/// Columns first, then their neighbours: passes without an index are vector code.
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn spread(rows: [&[u8]; 3], low: &mut [u8], high: &mut [u8]) {
    let w = low.len();
    for at in (0..w).step_by(BLOCK) {
        let to = (at + BLOCK).min(w);
        let (from, end) = (at.saturating_sub(1), (to + 1).min(w));
        // One more on either side, the outermost column twice at the rim.
        let (mut least, mut most) = ([0; BLOCK + 2], [0; BLOCK + 2]);
        let (first, n) = (from + 1 - at, end - from);
        let columns = least[first..first + n].iter_mut().zip(&mut most[first..first + n]);
        let [a, b, c] = rows.map(|r| &r[from..end]);
        for ((((least, most), &a), &b), &c) in columns.zip(a).zip(b).zip(c) {
            (*least, *most) = (a.min(b).min(c), a.max(b).max(c));
        }
        for ends in [&mut least, &mut most] {
            if first == 1 {
                ends[0] = ends[1];
            }
            if end == to {
                ends[first + n] = ends[first + n - 1];
            }
        }
        let (n, here) = (to - at, &rows[1][at..to]);
        let three = |all: &[u8; BLOCK + 2], low: &mut [u8], of: fn(u8, u8) -> u8| {
            let (left, middle, right) = (&all[..n], &all[1..=n], &all[2..n + 2]);
            for ((((o, &a), &b), &c), &here) in low.iter_mut().zip(left).zip(middle).zip(right).zip(here) {
                *o = of(of(a, b), c).midpoint(here);
            }
        };
        three(&least, &mut low[at..to], u8::min);
        three(&most, &mut high[at..to], u8::max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const W: usize = 40;
    const H: usize = 24;

    /// Show a picture of one level, with `level` in the middle, for `frames`.
    fn show(model: &mut Background, level: u8, frames: usize) -> Mask {
        let mut picture = Plane::new(W, H, 100);
        (8..16).for_each(|y| picture.row_mut(y)[10..30].fill(level));
        let mut labels = Mask::new(W, H);
        for _ in 0..frames {
            model.classify(&picture, 1, &mut labels, pulp::Arch::new());
            model.update((&picture, &picture), &labels.set, &labels.set, pulp::Arch::new());
        }
        labels
    }

    /// Labels of `picture`, pixel by pixel, and the fast model after it.
    fn plain(model: &mut Background, picture: &Plane, ticks: u8) -> Vec<u8> {
        let floor = model.floor;
        let label = |(at, &i): (usize, &u8)| {
            let (candidate, age) = (&mut model.candidate.data[at], &mut model.age.data[at]);
            let holds = i.abs_diff(*candidate) <= floor;
            (*candidate, *age) = if holds { (*candidate, age.saturating_add(ticks)) } else { (i, 0) };
            let settled = &mut model.settled.data[at];
            if *age >= SETTLED_TICKS {
                *settled = *candidate;
            }
            let threshold = i16::from(model.threshold.data[at]);
            let (low, high) = (i16::from(model.low.data[at]), i16::from(model.high.data[at]));
            match i16::from(i) {
                i if i <= high + threshold && i >= low - threshold => label::STREET,
                _ if i.abs_diff(*settled) <= floor => label::SETTLED,
                _ => label::MOVING,
            }
        };
        picture.data.iter().enumerate().map(label).collect()
    }

    proptest! {
        #[test]
        fn labels_are_those_of_the_pixels(
            (width, pictures) in (1usize..150).prop_flat_map(|w| {
                let levels = prop::sample::select(vec![0, 60, 70, 71, 90, 255]);
                (Just(w), prop::collection::vec(prop::collection::vec(levels, w * 2), 2..9))
            }),
            ticks in 1u8..200,
        ) {
            let picture = |data: &Vec<u8>| Plane { width, height: 2, data: data.clone() };
            let mut model = Background::new(&picture(&pictures[0]), 10);
            let (mut other, mut labels) = (model.clone(), Mask::new(width, 2));
            for data in pictures[1..].iter().flat_map(|data| [data; 3]) {
                model.classify(&picture(data), ticks, &mut labels, pulp::Arch::new());
                prop_assert_eq!(&Plane::from(labels.clone()).data, &plain(&mut other, &picture(data), ticks));
                let fast = |m: &Background| [m.candidate.clone(), m.age.clone(), m.settled.clone()];
                prop_assert_eq!(fast(&model), fast(&other));
            }
        }
    }

    proptest! {
        #[test]
        fn a_row_remembers_what_each_of_its_pixels_does(
            pixels in prop::collection::vec((0u8..40, 0u8..40, 0u8..30, 0u8..40, any::<u8>()), 1..150),
        ) {
            let row = |of: fn(&(u8, u8, u8, u8, u8)) -> u8| pixels.iter().map(of).collect::<Vec<_>>();
            let (level, candidate, age) = (row(|p| p.0), row(|p| p.1), row(|p| p.2));
            let (mut rival, mut history) = (row(|p| p.3), row(|p| p.4));
            remember([&level, &candidate, &age], &mut rival, &mut history, 10);
            for (at, &(level, candidate, age, mut other, mut before)) in pixels.iter().enumerate() {
                let (other, before) = (std::slice::from_mut(&mut other), std::slice::from_mut(&mut before));
                remember([&[level], &[candidate], &[age]], other, before, 10);
                prop_assert_eq!([rival[at], history[at]], [other[0], before[0]]);
            }
        }

        #[test]
        fn a_threshold_goes_towards_six_times_the_difference(level: u8, picture: u8, threshold: u8, floor: u8) {
            let (mut levels, mut thresholds) = ([level], [threshold]);
            follow(&mut levels, &mut thresholds, [&[picture], &[picture], &[0]], floor);
            let difference = picture.abs_diff(level);
            let step = i16::from(difference <= threshold) * (6 * i16::from(difference) - i16::from(threshold)).signum();
            let wanted = (i16::from(threshold) + step).clamp(0, 255) as u8;
            prop_assert_eq!(thresholds[0], wanted.max(floor).min(MAX_THRESHOLD));
        }
    }

    fn model(level: u8) -> Background {
        let mut picture = Plane::new(W, H, 100);
        (8..16).for_each(|y| picture.row_mut(y)[10..30].fill(level));
        Background::new(&picture, 10)
    }

    #[test]
    fn a_street_that_comes_back_is_trusted_and_what_stops_on_it_is_not_the_street() {
        let mut model = model(100);
        assert!(!model.is_trusted(20, 12));
        for level in [200, 30, 160] {
            show(&mut model, level, 10);
            show(&mut model, 100, 40);
        }
        assert!(model.is_trusted(20, 12));
        show(&mut model, 180, 200);
        assert!(!model.is_recurrent(20, 12));
    }

    #[test]
    fn what_comes_back_again_and_again_where_the_street_never_does_is_the_street() {
        // The first picture showed a vehicle of level 180 that has left since.
        let mut model = model(180);
        for (level, turn) in [(30, 0), (220, 1), (60, 2)] {
            show(&mut model, 100, 40);
            assert_eq!(model.is_recurrent(20, 12), turn == 2);
            show(&mut model, level, 10);
        }
        show(&mut model, 100, 40);
        assert!(model.is_recurrent(20, 12) && !model.is_trusted(20, 12));
        model.absorb(12, 10, 30);
        assert_eq!(model.level.row(12)[20], 100);
        assert!(!model.is_recurrent(20, 12));
    }

    #[test]
    fn visits_are_counted_up_to_a_limit_and_touch_nothing_else() {
        let mut model = model(180);
        for _ in 0..12 {
            show(&mut model, 100, 40);
            show(&mut model, 30, 10);
        }
        show(&mut model, 100, 40);
        assert!(model.is_recurrent(20, 12) && !model.is_trusted(20, 12));
    }

    #[test]
    fn what_stands_in_the_first_picture_is_not_taken_for_a_street_that_comes_back() {
        let mut model = model(180);
        (8..16).for_each(|y| (10..30).for_each(|x| model.guess(x, y, 104)));
        model.refresh();
        for _ in 0..5 {
            // Somebody passes in front of it.
            show(&mut model, 180, 40);
            show(&mut model, 30, 10);
        }
        show(&mut model, 180, 40);
        assert!(!model.is_recurrent(20, 12));
        show(&mut model, 100, 40);
        assert!(!model.is_recurrent(20, 12), "the guess was right");
    }

    #[test]
    fn parts_as_grey_as_the_street_do_not_creep_into_it() {
        let mut model = model(100);
        // A body of 106 between a window and a bumper stands for twenty seconds.
        let mut picture = Plane::new(W, H, 100);
        (4..20).for_each(|y| picture.row_mut(y)[10..30].fill(106));
        for y in [4, 5, 10, 11, 18, 19] {
            picture.row_mut(y)[10..30].fill(20);
        }
        let mut labels = Mask::new(W, H);
        for _ in 0..500 {
            model.classify(&picture, 1, &mut labels, pulp::Arch::new());
            model.update((&picture, &picture), &labels.set, &labels.set, pulp::Arch::new());
        }
        assert_eq!(model.level.row(8)[20], 100);
        assert_eq!(model.level.row(14)[20], 100);
    }
}

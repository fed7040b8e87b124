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

use super::reduce::Plane;

/// What a pixel shows.
pub(crate) mod label {
    /// The empty street.
    pub const STREET: u8 = 0;
    /// Differs from the street and changes.
    pub const MOVING: u8 = 1;
    /// Differs from the street and has settled.
    pub const SETTLED: u8 = 2;
    /// Added to the others: differs from the street by no more than a shadow would.
    pub const SHADOW: u8 = 4;
}

/// One row in this many takes part in the slow update of a frame: the
/// street changes slowly, and this makes the update almost free.
const STRIDE: usize = 8;
/// Age at which the fast model counts as settled, in ticks of 40 ms: longer
/// than any one part of a moving vehicle covers a pixel at walking pace.
pub(crate) const SETTLED_TICKS: u8 = 15;

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
    /// Least threshold, from the noise of the whole picture.
    floor: u8,
    /// Row phase of the slow update.
    phase: usize,
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
            floor,
            phase: 0,
        };
        for y in 0..picture.height {
            Refresh { row: y, model: &mut model, seen: None }.call();
        }
        model
    }

    /// Label every pixel of `picture` and advance the fast model by `ticks`.
    pub fn classify(&mut self, picture: &Plane, ticks: u8, labels: &mut Plane, arch: pulp::Arch) {
        let settle = self.floor;
        let planes = (&self.low.data[..], &self.high.data[..], &self.threshold.data[..]);
        let fast = (&mut self.candidate.data[..], &mut self.age.data[..], &mut self.settled.data[..]);
        arch.dispatch(|| classify(&picture.data, planes, fast, settle, ticks, &mut labels.data));
    }

    /// Slow update of this frame's share of the rows where `labels` say street:
    /// towards the raw picture where the one with its exposure taken off shows the street.
    pub fn update(&mut self, (picture, raw): (&Plane, &Plane), labels: &Plane, arch: pulp::Arch) {
        let mut y = self.phase;
        while y < picture.height {
            let seen = Some([picture, raw, labels].map(|plane| plane.row(y)));
            arch.dispatch(Refresh { row: y, model: &mut *self, seen });
            y += STRIDE;
        }
        self.phase = (self.phase + 1) % STRIDE;
    }

    /// Take the settled level for the street at pixels `x1..x2` of row `y`.
    pub fn absorb(&mut self, y: usize, x1: usize, x2: usize) {
        let range = y * self.level.width + x1..y * self.level.width + x2;
        self.level.data[range.clone()].copy_from_slice(&self.candidate.data[range.clone()]);
        self.threshold.data[range].fill(self.floor.saturating_mul(2).min(MAX_THRESHOLD));
    }

    /// How long the pixel has looked as it does, in ticks of 40 ms, up to 255.
    pub fn age(&self, x: usize, y: usize) -> u8 {
        self.age.data[y * self.age.width + x]
    }

    /// Sizes agree with a picture of `width`×`height`; a snapshot may lie.
    pub fn fits(&self, width: usize, height: usize) -> bool {
        [&self.level, &self.low, &self.high, &self.threshold, &self.candidate, &self.age, &self.settled]
            .iter()
            .all(|p| p.is(width, height))
            && self.phase < STRIDE
    }
}

/// Threshold over mean absolute difference: 5 σ of Gaussian noise, whose mean
/// absolute value is 0.8 σ, within rounding.
const NOISE_FACTOR: u16 = 6;
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
        let wanted = u16::from(difference) * NOISE_FACTOR;
        let (up, down) = (u8::from(wanted > u16::from(*t)), u8::from(wanted < u16::from(*t)));
        *b = b.wrapping_add(step & u8::from(r > *b)).wrapping_sub(step & u8::from(r < *b));
        *t = t.saturating_add(step & up).wrapping_sub(step & down).max(floor).min(MAX_THRESHOLD);
    }
}

/// Half the way to the smallest and largest of the 3×3 pixels around each of the middle one of `rows`.
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn spread(rows: [&[u8]; 3], low: &mut [u8], high: &mut [u8]) {
    let w = low.len();
    let around = |from: usize, to: usize| {
        let all = || rows.iter().flat_map(|r| &r[from..to]).copied();
        (all().min().unwrap_or_default(), all().max().unwrap_or_default())
    };
    (low[0], high[0]) = around(0, w.min(2));
    (low[w - 1], high[w - 1]) = around(w.saturating_sub(2), w);
    if w < 3 {
        return;
    }
    let [a, b, c] = rows.map(|r| (&r[..w - 2], &r[1..w - 1], &r[2..w]));
    for (x, (low, high)) in low[1..w - 1].iter_mut().zip(&mut high[1..w - 1]).enumerate() {
        let column = |left: u8, here: u8, right: u8| (left.min(here).min(right), left.max(here).max(right));
        let (a, b, c) =
            (column(a.0[x], a.1[x], a.2[x]), column(b.0[x], b.1[x], b.2[x]), column(c.0[x], c.1[x], c.2[x]));
        let half = |edge: u8| edge.midpoint(rows[1][x + 1]);
        (*low, *high) = (half(a.0.min(b.0).min(c.0)), half(a.1.max(b.1).max(c.1)));
    }
}

/// Pixels classified at a time: the passes over them find them in the cache.
const BLOCK: usize = 512;

#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn classify(
    picture: &[u8],
    (low, high, threshold): (&[u8], &[u8], &[u8]),
    (candidate, age, settled): (&mut [u8], &mut [u8], &mut [u8]),
    settle: u8,
    ticks: u8,
    labels: &mut [u8],
) {
    for at in (0..picture.len()).step_by(BLOCK) {
        let to = (at + BLOCK).min(picture.len());
        let slow = (&low[at..to], &high[at..to], &threshold[at..to]);
        let fast = (&mut candidate[at..to], &mut age[at..to], &mut settled[at..to]);
        classify_block(&picture[at..to], slow, fast, settle, ticks, &mut labels[at..to]);
    }
}

/// Three plain passes and masks instead of choices: the compiler makes vector
/// code of these, and leaves one pass with choices scalar, 18 times as slow.
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn classify_block(
    picture: &[u8],
    (low, high, threshold): (&[u8], &[u8], &[u8]),
    (candidate, age, settled): (&mut [u8], &mut [u8], &mut [u8]),
    settle: u8,
    ticks: u8,
    labels: &mut [u8],
) {
    let mask = |yes: bool| 0u8.wrapping_sub(u8::from(yes));
    for ((&i, c), a) in picture.iter().zip(&mut *candidate).zip(&mut *age) {
        let holds = mask(i.abs_diff(*c) <= settle);
        *a = holds & a.saturating_add(ticks);
        *c = (holds & *c) | (!holds & i);
    }
    for ((s, &c), &a) in settled.iter_mut().zip(&*candidate).zip(&*age) {
        let known = mask(a >= SETTLED_TICKS);
        *s = (known & c) | (!known & *s);
    }
    let slow = low.iter().zip(high).zip(threshold);
    for (((label, &i), &s), ((&low, &high), &threshold)) in
        labels.iter_mut().zip(picture).zip(&*settled).zip(slow)
    {
        let outside = i.saturating_sub(high) | low.saturating_sub(i);
        let foreground = u8::from(outside > threshold);
        *label = foreground + (foreground & u8::from(i.abs_diff(s) <= settle));
    }
}

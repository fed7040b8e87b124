//! What every pixel shows: the picture held against the empty street and against what has been here for a moment.

use super::bits::{Packer, WORD, full, whole};
use super::mask::Mask;
use super::plane::Plane;

/// Age at which the fast model counts as settled, in ticks of 40 ms: longer
/// than any one part of a moving vehicle covers a pixel at walking pace.
pub(crate) const SETTLED_TICKS: u8 = 15;

/// Labels of a picture, and the fast model after it: a call of [`Background::classify`](super::background::Background::classify).
pub(super) struct Classify<'a> {
    pub picture: &'a Plane,
    /// Low, high and threshold.
    pub slow: [&'a Plane; 3],
    /// Candidate, age and settled.
    pub fast: [&'a mut Plane; 3],
    pub settle: u8,
    pub ticks: u8,
    pub labels: &'a mut Mask,
    pub packer: Packer,
}

impl pulp::NullaryFnOnce for Classify<'_> {
    type Output = ();

    #[inline(always)]
    #[allow(clippy::inline_always)] // the very point
    fn call(self) {
        let Self { picture, slow, fast: [candidate, age, settled], settle, ticks, labels, packer } = self;
        let by = (settle, ticks, packer);
        for y in 0..picture.height {
            let (set, still) = (labels.set.row_mut(y), labels.settled.row_mut(y));
            let (i, i_last) = picture.row(y).as_chunks();
            let (low, low_last) = slow[0].row(y).as_chunks();
            let (high, high_last) = slow[1].row(y).as_chunks();
            let (threshold, threshold_last) = slow[2].row(y).as_chunks();
            let (c, c_last) = candidate.row_mut(y).as_chunks_mut();
            let (a, a_last) = age.row_mut(y).as_chunks_mut();
            let (s, s_last) = settled.row_mut(y).as_chunks_mut();
            let shown = i.iter().zip(low).zip(high).zip(threshold);
            let words = set.iter_mut().zip(&mut *still).zip(shown).zip(c.iter_mut().zip(a).zip(s));
            for (((set, still), (((i, low), high), threshold)), ((c, a), s)) in words {
                (*set, *still) = classify([*i, *low, *high, *threshold], [c, a, s], by);
            }
            if !i_last.is_empty() {
                let shown = [whole(i_last), whole(low_last), whole(high_last), whole(threshold_last)];
                let [mut c, mut a, mut s] = [whole(c_last), whole(a_last), whole(s_last)];
                let k = set.len() - 1;
                (set[k], still[k]) = classify(shown, [&mut c, &mut a, &mut s], by);
                c_last.copy_from_slice(&c[..c_last.len()]);
                a_last.copy_from_slice(&a[..a_last.len()]);
                s_last.copy_from_slice(&s[..s_last.len()]);
            }
        }
    }
}

/// Where a word of pixels is foreground, and where that has settled.
///
/// Plain passes over copies and masks instead of choices: the compiler makes vector
/// code of these, and leaves one pass with choices scalar, 18 times as slow.
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn classify(
    [picture, low, high, threshold]: [[u8; WORD]; 4],
    [candidate, age, settled]: [&mut [u8; WORD]; 3],
    (settle, ticks, packer): (u8, u8, Packer),
) -> (u64, u64) {
    let (mut known, mut aged, mut kept) = (*candidate, *age, *settled);
    let mut news = 0;
    for at in 0..WORD {
        news |= picture[at].abs_diff(known[at]).saturating_sub(settle) | !aged[at];
    }
    // Most words have held for as long as is counted, and are what has settled.
    if news != 0 {
        for at in 0..WORD {
            let i = picture[at];
            let holds = full(i.abs_diff(known[at]) <= settle);
            aged[at] = holds & aged[at].saturating_add(ticks);
            known[at] = (holds & known[at]) | (!holds & i);
            let stays = full(aged[at] >= SETTLED_TICKS);
            kept[at] = (stays & known[at]) | (!stays & kept[at]);
        }
        (*candidate, *age, *settled) = (known, aged, kept);
    }
    let mut outer = [0; WORD];
    for at in 0..WORD {
        let outside = picture[at].saturating_sub(high[at]) | low[at].saturating_sub(picture[at]);
        outer[at] = u8::from(outside > threshold[at]);
    }
    let set = packer.pack(&outer, 1);
    if set == 0 {
        return (0, 0);
    }
    let mut still = [0; WORD];
    for at in 0..WORD {
        still[at] = u8::from(picture[at].abs_diff(kept[at]) <= settle);
    }
    (set, set & packer.pack(&still, 1))
}

//! The camera's exposure, taken off.
//!
//! A white lorry close by, a cloud or a lamp makes a camera change its
//! exposure, and the whole street turns darker or lighter at once. Held
//! against the model as it is, all of it is foreground. One straight line
//! from street to picture explains most of such a picture; where it does, the
//! picture is taken back to the model's exposure before anything looks at it.
//!
//! It is decided picture by picture, so there is no state. A change that
//! stays becomes part of the street: the slow model follows the picture as
//! it came.

use super::plane::Plane;

/// One row in this many is looked at.
const STRIDE: usize = 16;
/// Levels up to which a pixel is explained: noise of the reduced picture.
const SAME: u8 = 5;
/// Share of the pixels that show the street as it is in an ordinary picture.
const ORDINARY: f32 = 0.85;
/// Share that a line must explain, and what it must have over none: a jam
/// covers much of a street, but not with one level above it.
const MIN_EXPLAINED: f32 = 0.5;
const MIN_GAINED: f32 = 0.2;
/// Beyond these slopes it is another picture.
const SLOPES: std::ops::RangeInclusive<f64> = 0.5..=2.0;
/// Levels from the line within which a pixel has a say, first and second time.
const NEAR: [u8; 2] = [24, 8];
/// Levels that vary less than this say nothing about a slope.
const MIN_VARIANCE: i64 = 16;

/// Takes levels of a picture to those that the street would have had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gain {
    /// Fixed point, [`Gain::BITS`] bits after the point.
    slope: i32,
    offset: i32,
}

impl Gain {
    const BITS: i32 = 12;

    /// How the exposure of `picture` differs from that of `street`; `None`
    /// when it does not, or when the street cannot be made out in it.
    pub fn of(picture: &Plane, street: &Plane, arch: pulp::Arch) -> Option<Self> {
        let share = |gain: Option<&Self>| {
            let (mut same, mut all) = (0, 0);
            for (picture, street) in rows(picture, street) {
                same += arch.dispatch(Count { picture, street, gain });
                all += picture.len();
            }
            same as f32 / all.max(1) as f32
        };
        let plain = share(None);
        if plain >= ORDINARY {
            return None;
        }
        let gain = Self::fitted(picture, street, arch)?;
        (share(Some(&gain)) >= MIN_EXPLAINED.max(plain + MIN_GAINED)).then_some(gain)
    }

    /// The line that most of the pixels lie on: the difference that most of
    /// them have, then the least squares of those near the line so far.
    fn fitted(picture: &Plane, street: &Plane, arch: pulp::Arch) -> Option<Self> {
        // Four, as neighbours often differ alike and would wait for each other.
        let mut counts = [[0u32; 511]; 4];
        for (picture, street) in rows(picture, street) {
            let pairs = picture.iter().zip(street).enumerate();
            pairs.for_each(|(x, (&i, &b))| counts[x % 4][usize::from(i) + 255 - usize::from(b)] += 1);
        }
        let differences: [u32; 511] = std::array::from_fn(|d| counts.iter().map(|n| n[d]).sum());
        let window = 2 * usize::from(NEAR[0]) + 1;
        let mut before = differences[..window - 1].iter().sum::<u32>();
        let sums = differences.windows(window).map(|w| {
            let sum = before + w[window - 1];
            before = sum - w[0];
            sum
        });
        let usual = sums.enumerate().max_by_key(|&(_, sum)| sum)?.0 + usize::from(NEAR[0]);
        let mut gain = Self { slope: 1 << Self::BITS, offset: (255 - usual as i32) << Self::BITS };
        for near in NEAR {
            gain = gain.refined(picture, street, near, arch)?;
        }
        Some(gain)
    }

    /// Least squares of the pixels that this line explains to within `near` levels.
    fn refined(&self, picture: &Plane, street: &Plane, near: u8, arch: pulp::Arch) -> Option<Self> {
        let mut sums = [0i64; 5];
        for (picture, street) in rows(picture, street) {
            for (picture, street) in picture.chunks(SUMMED).zip(street.chunks(SUMMED)) {
                let part = arch.dispatch(Moments { gain: self, picture, street, near });
                sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += i64::from(part));
            }
        }
        let [n, sum_i, sum_b, sum_ii, sum_ib] = sums;
        let spread = n * sum_ii - sum_i * sum_i;
        let slope = if spread >= n * n * MIN_VARIANCE {
            (n * sum_ib - sum_i * sum_b) as f64 / spread as f64
        } else {
            1.0
        };
        let offset = (sum_b as f64 - slope * sum_i as f64) / n as f64;
        let one = f64::from(1 << Self::BITS);
        (n > 0 && SLOPES.contains(&slope))
            .then_some(Self { slope: (slope * one) as i32, offset: ((offset + 0.5) * one) as i32 })
    }

    /// Fill `out` with `picture` as the street's exposure would have had it.
    pub fn take_off(&self, picture: &Plane, out: &mut Plane, arch: pulp::Arch) {
        arch.dispatch(TakeOff { gain: self, picture: &picture.data, out: &mut out.data });
    }

    #[inline(always)]
    #[allow(clippy::inline_always)] // must become part of the dispatched functions
    fn level(&self, level: u8) -> u8 {
        ((i32::from(level) * self.slope + self.offset) >> Self::BITS).clamp(0, 255) as u8
    }
}

/// The rows that are looked at, of both planes.
fn rows<'a>(picture: &'a Plane, street: &'a Plane) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    (STRIDE / 2..picture.height).step_by(STRIDE).map(|y| (picture.row(y), street.row(y)))
}

/// How many pixels of a row are those of the street.
struct Count<'a> {
    picture: &'a [u8],
    street: &'a [u8],
    gain: Option<&'a Gain>,
}

impl pulp::NullaryFnOnce for Count<'_> {
    type Output = u32;

    #[inline(always)]
    #[allow(clippy::inline_always)] // the very point
    fn call(self) -> u32 {
        let pairs = self.picture.iter().zip(self.street);
        match self.gain {
            None => pairs.map(|(&i, &b)| u32::from(i.abs_diff(b) <= SAME)).sum(),
            Some(gain) => pairs.map(|(&i, &b)| u32::from(gain.level(i).abs_diff(b) <= SAME)).sum(),
        }
    }
}

/// Pixels whose squares are summed in 32 bits: `SUMMED`·255² stays below 2³¹.
const SUMMED: usize = 1 << 14;

/// Of the pixels that a line explains to within `near` levels: how many, the
/// sums of picture and street, of the picture's squares and of the products.
struct Moments<'a> {
    gain: &'a Gain,
    picture: &'a [u8],
    street: &'a [u8],
    near: u8,
}

impl pulp::NullaryFnOnce for Moments<'_> {
    type Output = [i32; 5];

    #[inline(always)]
    #[allow(clippy::inline_always)] // the very point
    fn call(self) -> [i32; 5] {
        let [mut n, mut sum_i, mut sum_b, mut sum_ii, mut sum_ib] = [0; 5];
        for (&i, &b) in self.picture.iter().zip(self.street) {
            let is_near = i32::from(self.gain.level(i).abs_diff(b) <= self.near);
            // What is not near counts as black, which adds nothing.
            let (i, b) = (i32::from(i) * is_near, i32::from(b) * is_near);
            n += is_near;
            sum_i += i;
            sum_b += b;
            sum_ii += i * i;
            sum_ib += i * b;
        }
        [n, sum_i, sum_b, sum_ii, sum_ib]
    }
}

/// A call of [`Gain::take_off`].
struct TakeOff<'a> {
    gain: &'a Gain,
    picture: &'a [u8],
    out: &'a mut [u8],
}

impl pulp::NullaryFnOnce for TakeOff<'_> {
    type Output = ();

    #[inline(always)]
    #[allow(clippy::inline_always)] // the very point
    fn call(self) {
        self.out.iter_mut().zip(self.picture).for_each(|(o, &i)| *o = self.gain.level(i));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const W: usize = 160;
    const H: usize = 120;

    fn street() -> Plane {
        let mut plane = Plane::new(W, H, 0);
        for (i, level) in plane.data.iter_mut().enumerate() {
            *level = 60 + (i % W / 2) as u8 + (i * 7919 % 5) as u8;
        }
        plane
    }

    fn exposed(street: &Plane, slope: f32, offset: f32) -> Plane {
        let data = street.data.iter().map(|&b| (slope * f32::from(b) + offset).clamp(0.0, 255.0) as u8);
        Plane { data: data.collect(), ..street.clone() }
    }

    #[test]
    fn another_exposure_is_taken_off() {
        let (street, arch) = (street(), pulp::Arch::new());
        for (slope, offset) in [(1.0, -40.0), (1.0, 60.0), (1.3, 5.0), (0.7, 10.0)] {
            let mut picture = exposed(&street, slope, offset);
            // A third of it is something else.
            picture.data[..W * H / 3].fill(255);
            let gain = Gain::of(&picture, &street, arch).unwrap();
            let mut out = Plane::new(W, H, 0);
            gain.take_off(&picture, &mut out, arch);
            let off = |at: &usize| out.data[*at].abs_diff(street.data[*at]) > SAME;
            assert_eq!((W * H / 3..W * H).filter(off).count(), 0, "{slope} {offset} {gain:?}");
        }
    }

    #[test]
    fn a_jam_is_no_exposure() {
        let (street, arch) = (street(), pulp::Arch::new());
        assert_eq!(Gain::of(&street, &street, arch), None);
        let mut picture = street.clone();
        for (i, level) in picture.data.iter_mut().enumerate().take(2 * W * H / 3) {
            *level = (i / W / 20 * 50) as u8;
        }
        assert_eq!(Gain::of(&picture, &street, arch), None);
    }

    #[test]
    fn no_rows_no_gain() {
        let plane = Plane::new(10, 2, 9);
        assert_eq!(Gain::of(&plane, &plane, pulp::Arch::new()), None);
    }
}

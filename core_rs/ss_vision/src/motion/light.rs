//! Light on the street, which is nobody: a headlight goes before a vehicle at night, as large as one.
//!
//! It makes a dark street lighter and brings no edges that the street has not, but where it falls on something. So
//! [`Light`] takes what is lighter and far from every edge for the street, as far as a pixel tells, and [`is_glow`]
//! asks a newcomer for edges of his own.

use std::ops::Range;

use super::bits::{Bits, Packer, WORD, full, pixels};
use super::camera::Rect;
use super::mask::Mask;
use super::plane::Plane;

/// Streets lighter than this are lit by more than headlights.
const MAX_LEVEL: u8 = 60;
/// Levels between two pixels that make an edge in a beam …
const EDGE: i16 = 16;
/// … or of a newcomer: light fades over more, and noise is less.
const SHARP: i16 = 24;
/// Pixels between the two.
const APART: usize = 2;
/// What lies within so many pixels of an edge may be its vehicle's.
const NEAR: usize = 3;
/// Share of a road user's box that lies at its edges …
const MIN_SHARE: f32 = 0.08;
/// … or, in pixels over width and height of the box: of a large one the rim is enough.
const MIN_RIM: f32 = 1.5;

/// Finds light among the foreground. Buffers are kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Light {
    /// Lighter than a dark street.
    lit: Bits,
    /// At an edge or within [`NEAR`] columns of one.
    near: Bits,
    /// Of one row.
    edges: Vec<u64>,
}

impl Light {
    /// Mark light in `labels` as what may be shade: it counts neither for nor against a vehicle.
    pub fn remove(&mut self, picture: &Plane, street: &Plane, labels: &mut Mask, arch: pulp::Arch) {
        self.lit.clear(labels.width, labels.height);
        let look = Look { picture, street, labels, packer: Packer::new() };
        let Some((first, last)) = arch.dispatch(Lit { look, lit: &mut self.lit }) else { return };
        self.near.clear(labels.width, labels.height);
        let rows = first.saturating_sub(NEAR)..(last + NEAR + 1).min(labels.height);
        let (near, edges) = (&mut self.near, &mut self.edges);
        arch.dispatch(Widen { look, rows: rows.clone(), near, edges });
        for y in first..=last {
            for k in 0..self.lit.row(y).len() {
                let lit = self.lit.row(y)[k];
                if lit != 0 {
                    let about = y.saturating_sub(NEAR).max(rows.start)..(y + NEAR + 1).min(rows.end);
                    let near = about.fold(0, |all, y| all | self.near.row(y)[k]);
                    labels.shade.row_mut(y)[k] |= lit & !near;
                }
            }
        }
    }
}

/// What is looked at.
#[derive(Clone, Copy)]
struct Look<'a> {
    picture: &'a Plane,
    street: &'a Plane,
    labels: &'a Mask,
    packer: Packer,
}

impl Look<'_> {
    /// Where word `k` of row `y` is foreground with an edge to a pixel [`APART`] from it that the street has not.
    #[inline(always)]
    #[allow(clippy::inline_always)] // must become part of the dispatched function
    fn edges(&self, y: usize, k: usize) -> u64 {
        let foreground = self.labels.set.row(y)[k] & !self.labels.shade.row(y)[k];
        if foreground == 0 {
            return 0;
        }
        let added = |y: usize, x: isize| {
            let (picture, street) = (within(self.picture.row(y), x), within(self.street.row(y), x));
            let mut added = [0; WORD];
            for ((added, &i), &b) in added.iter_mut().zip(&picture).zip(&street) {
                *added = i16::from(i) - i16::from(b);
            }
            added
        };
        let (x, apart) = ((k * WORD) as isize, APART as isize);
        let own = added(y, x);
        let mut sharp = [0; WORD];
        for other in [
            added(y, x - apart),
            added(y, x + apart),
            added(y.saturating_sub(APART), x),
            added((y + APART).min(self.labels.height - 1), x),
        ] {
            for ((sharp, own), other) in sharp.iter_mut().zip(&own).zip(&other) {
                *sharp |= full((own - other).abs() >= EDGE) & 1;
            }
        }
        foreground & self.packer.pack(&sharp, 1)
    }
}

/// Fills `lit` and answers with the first and last row in which anything is.
struct Lit<'a> {
    look: Look<'a>,
    lit: &'a mut Bits,
}

impl pulp::NullaryFnOnce for Lit<'_> {
    type Output = Option<(usize, usize)>;

    #[inline(always)]
    #[allow(clippy::inline_always)] // must become part of the dispatched function
    fn call(self) -> Self::Output {
        let Look { picture, street, labels, packer } = self.look;
        let mut rows = None;
        for y in 0..labels.height {
            let (picture, street) = (picture.row(y), street.row(y));
            for (k, &set) in labels.set.row(y).iter().enumerate().filter(|(_, set)| **set != 0) {
                let (picture, street) = (pixels(picture, k), pixels(street, k));
                let mut lighter = [0; WORD];
                for ((lighter, &i), &b) in lighter.iter_mut().zip(&picture).zip(&street) {
                    *lighter = full(i > b) & full(b <= MAX_LEVEL) & 1;
                }
                let lit = packer.pack(&lighter, 1) & set & !labels.shade.row(y)[k];
                self.lit.row_mut(y)[k] = lit;
                if lit != 0 {
                    rows = Some((rows.map_or(y, |(first, _)| first), y));
                }
            }
        }
        rows
    }
}

/// Fills `rows` of `near`: edges, and what lies beside them.
struct Widen<'a> {
    look: Look<'a>,
    rows: Range<usize>,
    near: &'a mut Bits,
    edges: &'a mut Vec<u64>,
}

impl pulp::NullaryFnOnce for Widen<'_> {
    type Output = ();

    #[inline(always)]
    #[allow(clippy::inline_always)] // must become part of the dispatched function
    fn call(self) {
        for y in self.rows.clone() {
            // A word more on either side.
            let edges = &mut *self.edges;
            edges.clear();
            edges.push(0);
            edges.extend((0..self.look.labels.set.row(y).len()).map(|k| self.look.edges(y, k)));
            edges.push(0);
            for (near, edges) in self.near.row_mut(y).iter_mut().zip(edges.windows(3)) {
                *near = edges[1];
                for by in 1..=NEAR {
                    *near |= edges[1] << by | edges[1] >> by;
                    *near |= edges[0] >> (WORD - by) | edges[2] << (WORD - by);
                }
            }
        }
    }
}

/// 64 pixels of `row` from column `x` on; beyond its ends lies what is on them.
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn within(row: &[u8], x: isize) -> [u8; WORD] {
    let inside = usize::try_from(x).ok().and_then(|x| row.get(x..x + WORD));
    inside.and_then(|row| row.try_into().ok()).unwrap_or_else(|| {
        let last = row.len() as isize - 1;
        std::array::from_fn(|i| row[(x + i as isize).clamp(0, last) as usize])
    })
}

/// Whether what is in `rect` of `picture` has no edge that the `street` has not: a road user has a rim, lamps, windows.
pub(crate) fn is_glow(picture: &Plane, street: &Plane, rect: &Rect) -> bool {
    let (xs, ys) = rect.pixels(picture.width, picture.height);
    let (area, sides) = (xs.len() * ys.len(), xs.len() + ys.len());
    let least = (MIN_SHARE * area as f32).min(MIN_RIM * sides as f32);
    let added = |at: usize| i16::from(picture.data[at]) - i16::from(street.data[at]);
    let mut edges = 0;
    for y in ys {
        for x in xs.clone() {
            let at = y * picture.width + x;
            let is_sharp = |other: usize| (added(at) - added(other)).abs() >= SHARP;
            edges += u32::from(
                (x + APART < picture.width && is_sharp(at + APART))
                    || (y + APART < picture.height && is_sharp(at + APART * picture.width)),
            );
        }
        if edges as f32 >= least {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 40;

    /// A street with a marking, lit by `light` at every distance from the middle.
    fn lit(light: impl Fn(f32) -> f32) -> (Plane, Plane) {
        let mut street = Plane::new(SIDE, SIDE, 20);
        (18..21).for_each(|y| street.row_mut(y).fill(45));
        let mut picture = street.clone();
        for y in 0..SIDE {
            for (x, level) in picture.row_mut(y).iter_mut().enumerate() {
                *level += light((x as f32 - 20.0).hypot(y as f32 - 20.0)) as u8;
            }
        }
        (picture, street)
    }

    #[test]
    fn in_a_beam_only_what_has_edges_stays_foreground() {
        // Odd sizes: words at both ends of a row, and rows at both ends of the picture.
        let (width, height) = (150, 41);
        let (mut street, mut picture) = (Plane::new(width, height, 25), Plane::new(width, height, 25));
        for y in 0..height {
            street.row_mut(y)[..20].fill(MAX_LEVEL + 1);
            picture.row_mut(y)[..20].fill(MAX_LEVEL + 30);
            for (x, level) in picture.row_mut(y).iter_mut().enumerate().skip(20) {
                *level += (x / 3) as u8; // fades to the left
            }
        }
        (10..14).for_each(|y| picture.row_mut(y)[100..104].fill(220));
        let mut labels = Mask::new(width, height);
        (0..height).for_each(|y| labels.set.fill(y, &(0..width)));
        Light::default().remove(&picture, &street, &mut labels, pulp::Arch::new());
        let near = |x: usize, from: usize, to: usize| (from..to).contains(&x);
        for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
            // The lamp with its rim, what lies about it, and the street of which nothing is said.
            let reach = APART + NEAR;
            let kept = x < 20 + reach
                || (near(x, 100 - reach, 104 + reach) && near(y, 10 - NEAR, 14 + NEAR))
                || (near(x, 100 - NEAR, 104 + NEAR) && near(y, 10 - reach, 14 + reach));
            assert_eq!(labels.shade.is_set(x, y), !kept, "{x},{y}");
        }
    }

    #[test]
    fn light_that_fades_is_no_road_user_and_a_large_lamp_in_it_is_one() {
        let rect = Rect { x1: 8.0, y1: 8.0, x2: 32.0, y2: 32.0 };
        let (picture, street) = lit(|far| 90.0 * (-far * far / 200.0).exp());
        assert!(is_glow(&picture, &street, &rect));
        let (picture, street) = lit(|far| if far < 5.0 { 200.0 } else { 60.0 * (-far * far / 200.0).exp() });
        assert!(!is_glow(&picture, &street, &rect));
    }

    #[test]
    fn a_dark_box_on_a_light_street_has_a_rim() {
        let (street, mut picture) = (Plane::new(SIDE, SIDE, 120), Plane::new(SIDE, SIDE, 120));
        (10..30).for_each(|y| picture.row_mut(y)[10..30].fill(70));
        assert!(!is_glow(&picture, &street, &Rect { x1: 9.0, y1: 9.0, x2: 31.0, y2: 31.0 }));
    }

    #[test]
    fn the_flank_of_a_bus_has_its_rim() {
        let (street, mut picture) = (Plane::new(300, 200, 120), Plane::new(300, 200, 120));
        (20..180).for_each(|y| picture.row_mut(y)[20..280].fill(70));
        assert!(!is_glow(&picture, &street, &Rect { x1: 18.0, y1: 18.0, x2: 282.0, y2: 182.0 }));
    }
}

//! Light on the street: it goes before a vehicle at night, as large as one, and is none.

use super::camera::Rect;
use super::plane::Plane;

/// Levels between two pixels that make an edge: light fades over more, and noise is less.
const SHARP: i16 = 24;
/// Pixels between the two.
const APART: usize = 2;
/// Share of a road user's box that lies at its edges …
const MIN_SHARE: f32 = 0.08;
/// … or, in pixels over width and height of the box: of a large one the rim is enough.
const MIN_RIM: f32 = 1.5;

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

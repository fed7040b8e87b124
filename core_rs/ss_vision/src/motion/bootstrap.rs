//! The street behind the vehicles of the very first picture.
//!
//! A stream often begins with a queue at red. Taken for street, it leaves
//! ghosts and hides whoever drives over its place for minutes. So the first
//! picture is read like a person would: what has the usual levels of its
//! surroundings is ground, and what stands out and is as large as a road user
//! probably is one. Those are left out of the model and watched; they are
//! reported only once they have moved.

use std::collections::VecDeque;

use super::background::Background;
use super::blobs::Components;
use super::camera::Camera;
use super::majority::Majority;
use super::mask::Mask;
use super::mask::label;
use super::plane::Plane;
use super::shadow::Shadow;
use super::sizes::{KINDS, Sizes};
use super::vehicles::{Explainer, Found, Scene};

/// Side of a tile, and the tiles to each side that make its surroundings: a
/// few car lengths in the middle distance.
const TILE: usize = 32;
const AROUND: (usize, usize) = (3, 2);
/// Levels of one kind of ground: noise and grain.
const SPREAD: usize = 8;
/// Share of the surroundings that makes a level usual.
const USUAL: f32 = 0.15;
/// A surrounding has this many kinds of ground at most: asphalt, verge, marking.
const MAX_GROUNDS: usize = 3;
/// A queue in one picture teaches as much about shadows as its vehicles would
/// one after the other, each seen in this many frames.
const WEIGHT: u32 = 8;
/// What stands out over less height, or is less wide, is a marking.
const UPRIGHT_M: f64 = 1.0;
const WIDE_M: f64 = 0.35;
/// Pixels beside what stands out that are not believed to be street.
const MARGIN: usize = 2;
/// How well a box must explain what stands out.
const MIN_SCORE: f32 = 0.8;

/// The model of the first `picture`: its street without the probable road
/// users, and those.
///
/// `shadow` learns from what stands out: a queue casts shadows, too.
pub(crate) fn street(
    picture: &Plane,
    camera: Option<(&Camera, &Sizes)>,
    shadow: &mut Shadow,
    floor: u8,
    arch: pulp::Arch,
) -> (Background, Vec<Found>) {
    let (w, h) = (picture.width, picture.height);
    let mut background = Background::new(picture, floor);
    let Some((camera, sizes)) = camera else { return (background, Vec::new()) };
    let grounds = Grounds::of(picture);
    let mut odd = grounds.unusual(picture, |y| camera.ground(0.5 * w as f32, y as f32).is_some());
    extend(picture, &grounds, &mut odd);
    let mut ground = picture.clone();
    for y in 0..h {
        for (x, level) in ground.row_mut(y).iter_mut().enumerate() {
            if let (Some(&g), true) = (grounds.at(x, y).first(), odd.row(y)[x] != label::STREET) {
                *level = g as u8;
            }
        }
    }
    // Once to learn, once to remove.
    let mut odd = Mask::from(odd);
    shadow.remove((picture, &ground), &mut odd, WEIGHT, arch);
    shadow.remove((picture, &ground), &mut odd, 0, arch);
    let mut mask = Mask::new(w, h);
    Majority::default().vote(&odd, &mut mask, arch);
    let (mut components, mut explainer, mut found) =
        (Components::default(), Explainer::default(), Vec::new());
    components.find(&mask);
    let scene = Scene {
        components: &components,
        mask: &mask,
        hidden: None,
        sizes: Some(sizes),
        about: None,
        min_moving: 0.0,
        kinds: &KINDS[..4],
    };
    explainer.explain(&scene, &mut found);
    found.retain(|f| f.score >= MIN_SCORE);
    let upright = upright(&mask, camera);
    for y in 0..h {
        let rows = y.saturating_sub(MARGIN)..(y + MARGIN + 1).min(h);
        for x in 0..w {
            let columns = x.saturating_sub(MARGIN)..(x + MARGIN + 1).min(w);
            if rows.clone().any(|y| upright.row(y)[columns.clone()].iter().any(|&p| p != 0)) {
                background.guess(x, y, ground.row(y)[x]);
            }
        }
    }
    background.refresh();
    (background, found)
}

/// Ground goes on where its level does: a pavement is usual near the camera, and far away a narrow strip of it that
/// few of its surroundings are alike to.
fn extend(picture: &Plane, grounds: &Grounds, odd: &mut Plane) {
    let (w, h) = (picture.width, picture.height);
    let level = |(x, y): (usize, usize)| usize::from(picture.row(y)[x]);
    let mut rim = VecDeque::new();
    for at in (0..h).flat_map(|y| (0..w).map(move |x| (x, y))) {
        let is_ground = odd.row(at.1)[at.0] == label::STREET;
        if is_ground && beside(at, w, h).any(|(x, y)| odd.row(y)[x] != label::STREET) {
            let kind = grounds.at(at.0, at.1).iter().min_by_key(|g| g.abs_diff(level(at)));
            rim.extend(kind.map(|&kind| (at, kind)));
        }
    }
    while let Some((at, kind)) = rim.pop_front() {
        for (x, y) in beside(at, w, h) {
            if odd.row(y)[x] != label::STREET && level((x, y)).abs_diff(kind) <= SPREAD {
                odd.row_mut(y)[x] = label::STREET;
                rim.push_back(((x, y), kind));
            }
        }
    }
}

/// The neighbours of a pixel in a picture of `w`×`h`.
fn beside((x, y): (usize, usize), w: usize, h: usize) -> impl Iterator<Item = (usize, usize)> {
    [(x.wrapping_sub(1), y), (x + 1, y), (x, y.wrapping_sub(1)), (x, y + 1)]
        .into_iter()
        .filter(move |&(x, y)| x < w && y < h)
}

/// The foreground of `mask` that stands up from the ground: markings are
/// thin, or short as seen from the camera.
fn upright(mask: &Mask, camera: &Camera) -> Plane {
    let (w, h) = (mask.width, mask.height);
    let mut tall = Plane::new(w, h, 0);
    let set = |x: usize, y: usize| mask.set.is_set(x, y);
    for x in 0..w {
        let mut y = 0;
        while y < h {
            let end = (y..h).find(|&v| !set(x, v)).unwrap_or(h);
            let least = camera.metre(x as f32, end as f32).map_or(f64::MAX, |m| UPRIGHT_M * m);
            if (end - y) as f64 >= least.max(3.0) {
                (y..end).for_each(|v| tall.row_mut(v)[x] = 1);
            }
            y = end + 1;
        }
    }
    let mut upright = Plane::new(w, h, 0);
    for y in 0..h {
        let mut x = 0;
        while x < w {
            let end = (x..w).find(|&u| tall.row(y)[u] == 0).unwrap_or(w);
            let least = camera.metre(x as f32, y as f32).map_or(2.0, |m| WIDE_M * m);
            if (end - x) as f64 >= least.max(2.0) {
                upright.row_mut(y)[x..end].fill(1);
            }
            x = end + 1;
        }
    }
    upright
}

/// Usual levels around every tile, the commonest first.
struct Grounds {
    columns: usize,
    levels: Vec<Vec<usize>>,
}

impl Grounds {
    fn of(picture: &Plane) -> Self {
        let (columns, rows) = (picture.width.div_ceil(TILE), picture.height.div_ceil(TILE));
        let mut histograms = vec![[0u32; 256]; columns * rows];
        for y in 0..picture.height {
            for (x, &level) in picture.row(y).iter().enumerate() {
                histograms[y / TILE * columns + x / TILE][usize::from(level)] += 1;
            }
        }
        let around = |i: usize| {
            let (tx, ty) = (i % columns, i / columns);
            let mut sum = [0u32; 256];
            for y in ty.saturating_sub(AROUND.1)..(ty + AROUND.1 + 1).min(rows) {
                for x in tx.saturating_sub(AROUND.0)..(tx + AROUND.0 + 1).min(columns) {
                    sum.iter_mut().zip(&histograms[y * columns + x]).for_each(|(s, n)| *s += n);
                }
            }
            peaks(sum)
        };
        Self { columns, levels: (0..columns * rows).map(around).collect() }
    }

    /// What stands out in those rows of `picture` that `is_ground`.
    fn unusual(&self, picture: &Plane, is_ground: impl Fn(usize) -> bool) -> Plane {
        let mut odd = Plane::new(picture.width, picture.height, label::STREET);
        for y in (0..picture.height).filter(|&y| is_ground(y)) {
            for (x, (odd, &level)) in odd.row_mut(y).iter_mut().zip(picture.row(y)).enumerate() {
                let usual = self.at(x, y).iter().any(|&g| usize::from(level).abs_diff(g) <= SPREAD);
                *odd = u8::from(!usual);
            }
        }
        odd
    }

    fn at(&self, x: usize, y: usize) -> &[usize] {
        &self.levels[y / TILE * self.columns + x / TILE]
    }
}

/// Levels around which at least the usual share of `histogram` lies.
fn peaks(mut histogram: [u32; 256]) -> Vec<usize> {
    let least = USUAL * histogram.iter().sum::<u32>() as f32;
    let mut found = Vec::new();
    for _ in 0..MAX_GROUNDS {
        let near = |level: usize, reach: usize| level.saturating_sub(reach)..(level + reach + 1).min(256);
        let mass = |level: usize| histogram[near(level, SPREAD / 2)].iter().sum::<u32>();
        // Of equal ones the lowest, so that the answer is one.
        let Some(level) = (0..256).rev().max_by_key(|&l| mass(l)) else { break };
        if (mass(level) as f32) < least {
            break;
        }
        found.push(level);
        histogram[near(level, SPREAD)].fill(0);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASPHALT: u8 = 80;
    const PAVEMENT: u8 = 150;
    const LORRY: u8 = 240;

    /// A wide pavement at the right that goes on as a narrow one upwards, and a lorry on the asphalt.
    fn picture() -> Plane {
        let mut picture = Plane::new(640, 480, ASPHALT);
        for y in 0..480 {
            let left = if y < 240 { 634 } else { 420 };
            picture.row_mut(y)[left..].fill(PAVEMENT);
        }
        (60..100).for_each(|y| picture.row_mut(y)[300..330].fill(LORRY));
        picture
    }

    #[test]
    fn a_pavement_that_narrows_is_ground_and_a_lorry_is_not() {
        let picture = picture();
        let grounds = Grounds::of(&picture);
        let mut odd = grounds.unusual(&picture, |_| true);
        let [strip, near] = [(636, 20), (500, 400)];
        assert_eq!(
            [strip, near].map(|(x, y)| odd.row(y)[x]),
            [1, 0],
            "unlike its surroundings, and like them"
        );
        extend(&picture, &grounds, &mut odd);
        assert_eq!(odd.row(strip.1)[strip.0], label::STREET);
        assert_ne!(odd.row(80)[310], label::STREET, "the lorry");
    }
}

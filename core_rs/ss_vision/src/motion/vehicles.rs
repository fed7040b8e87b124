//! Foreground nobody has claimed: which road users explain it?
//!
//! A region is explained greedily by boxes as large as real road users are at
//! that place: the box that accounts for most foreground and least street is
//! taken first, what it covers is removed, and so on. A group of riders thus
//! becomes riders, a bus stays one bus.
//!
//! Source: the idea of explaining a foreground mask by projected models on
//! the ground plane is that of Zhao & Nevatia 2004, Tracking multiple humans
//! in complex situations; boxes and a greedy order keep it cheap.

use ss_model::VehicleClass;

use super::background::label;
use super::blobs::{Blob, Components};
use super::camera::{Camera, Rect, Stand};
use super::reduce::Plane;

/// Least area of anything reported, reduced pixels: below that noise and
/// vehicles cannot be told apart.
const MIN_AREA_PX: f32 = 20.0;
/// A region must have this share of a rider's size to be anybody.
const MIN_SHARE: f32 = 0.35;
/// Share of a box that no tracked road user may hide.
const MIN_VISIBLE: f32 = 0.35;
/// A region with less shade than this share of its foreground casts no shadow.
const MAX_SHADE: f32 = 0.1;
/// Share of foreground in a box of which the rest may be its dark parts.
const MIN_LIT: f32 = 0.3;
/// Share of foreground in a box seen from the side: it hides nothing but itself.
const ACROSS_FILL: f32 = 0.8;
/// Sides of a region over those of a road user's box that make it one.
const SINGLE_RATIO: (f32, f32) = (0.55, 1.3);
const SINGLE_SCORE: f32 = 0.9;
/// Road users found in one region at most.
const MAX_PER_BLOB: usize = 24;

/// A kind of road user by its size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub class: VehicleClass,
    /// Outer length, width and height in metres, rider included.
    pub size_m: [f64; 3],
    /// Share of its box that must be foreground: riders are slender, coaches
    /// are boxes, and a row of cars must not pass for one.
    min_fill: f32,
    /// The same for a region that is as large as one and stands alone.
    min_fill_alone: f32,
}

pub(crate) const KINDS: [Kind; 5] = [
    Kind { class: VehicleClass::Motorcycle, size_m: [1.9, 0.8, 1.65], min_fill: 0.5, min_fill_alone: 0.35 },
    Kind { class: VehicleClass::Car, size_m: [4.4, 1.8, 1.5], min_fill: 0.65, min_fill_alone: 0.65 },
    Kind { class: VehicleClass::Truck, size_m: [6.5, 2.2, 2.8], min_fill: 0.8, min_fill_alone: 0.7 },
    Kind { class: VehicleClass::Bus, size_m: [11.0, 2.5, 3.2], min_fill: 0.8, min_fill_alone: 0.7 },
    Kind { class: VehicleClass::Pedestrian, size_m: [0.5, 0.5, 1.7], min_fill: 0.6, min_fill_alone: 0.5 },
];

/// A road user seen for the first time, or seen but not tracked yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Found {
    pub rect: Rect,
    pub class: VehicleClass,
    /// How well the box explains the region, 0–1.
    pub score: f32,
}

/// What the regions are cut from.
pub(crate) struct Scene<'a> {
    pub components: &'a Components,
    /// The foreground that nobody claims.
    pub mask: &'a Plane,
    /// Not 0 where a tracked road user is: it may hide part of another.
    pub owner: &'a Plane,
    pub camera: Option<&'a Camera>,
    /// Share of a newcomer's pixels that must move.
    pub min_moving: f32,
    /// Who may be found.
    pub kinds: &'a [Kind],
}

/// Pixels of a box by what they show.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    foreground: f32,
    moving: f32,
    /// Covered by a tracked road user.
    hidden: f32,
    /// Shadow, or something as dark.
    shade: f32,
}

/// A box that may be a road user.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    gain: f32,
    rect: Rect,
    class: VehicleClass,
}

/// What was tried in one column.
#[derive(Clone, Copy, Debug, Default)]
struct Tried {
    /// Row of the foot; `None` when it is to be tried again.
    foot: Option<usize>,
    best: Option<Candidate>,
    /// Around every box of the column.
    about: Rect,
}

/// Window around one region; buffers are kept between frames.
#[derive(Clone, Debug, Default)]
pub(crate) struct Explainer {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    pixels: Vec<u8>,
    /// Summed-area table of `pixels`, one row and column larger: foreground,
    /// moving, hidden, shade.
    sums: Vec<[u32; 4]>,
    /// One past the lowest row with foreground, by column; 0 where there is none.
    feet: Vec<usize>,
    tried: Vec<Tried>,
    picture: Rect,
}

/// Mark of a hidden pixel in the window.
const HIDDEN: u8 = 255;

impl Explainer {
    /// Append the road users of blob `number` to `found`.
    pub fn explain(&mut self, scene: &Scene, number: usize, found: &mut Vec<Found>) {
        let blob = scene.components.blobs[number];
        self.load(&blob, scene, number);
        let whole = Rect { x1: blob.x1 as f32, y1: blob.y1 as f32, x2: blob.x2 as f32, y2: blob.y2 as f32 };
        let Some(camera) = scene.camera else {
            if blob.area as f32 >= 2.0 * MIN_AREA_PX {
                let score = 0.5 + 0.5 * blob.area as f32 / whole.area();
                found.push(Found { rect: whole, class: VehicleClass::Unknown, score });
            }
            return;
        };
        let Some(stand) = camera.stand(whole.centre_x(), whole.y2) else { return };
        let Some(rider) = stand.box_of(KINDS[0].size_m, true) else { return };
        let least = MIN_AREA_PX.max(MIN_SHARE * rider.0 * rider.1);
        let mut left = blob.area as f32;
        if left < least {
            return;
        }
        let plain = (blob.shade as f32) < MAX_SHADE * left;
        if plain && let Some(class) = single(&stand, &whole, left / whole.area(), scene.kinds) {
            if (blob.area - blob.settled) as f32 >= scene.min_moving * left {
                found.push(Found { rect: whole, class, score: SINGLE_SCORE });
            }
            return;
        }
        let mut moving = (blob.area - blob.settled) as f32;
        self.tried.clear();
        for _ in 0..MAX_PER_BLOB {
            // Nobody is left, or nobody who moves.
            if left < least || moving < scene.min_moving * least {
                break;
            }
            self.integrate();
            let Some(Candidate { rect, class, .. }) = self.best(camera, rider.0, scene.kinds) else { break };
            let count = self.count(&rect);
            if count.foreground < least {
                break;
            }
            if count.moving >= scene.min_moving * count.foreground {
                let fill = count.foreground / (rect.area() - count.hidden - count.shade).max(1.0);
                found.push(Found { rect: self.tighten(&rect), class, score: 0.5 + 0.5 * fill.min(1.0) });
            }
            self.remove(&rect);
            left -= count.foreground;
            moving -= count.moving;
        }
    }

    fn load(&mut self, blob: &Blob, scene: &Scene, number: usize) {
        let mask = scene.mask;
        self.picture = Rect { x1: 0.0, y1: 0.0, x2: mask.width as f32, y2: mask.height as f32 };
        (self.x, self.y) = (blob.x1, blob.y1);
        (self.width, self.height) = (blob.x2 - blob.x1, blob.y2 - blob.y1);
        self.pixels.clear();
        for y in blob.y1..blob.y2 {
            let owner = &scene.owner.row(y)[blob.x1..blob.x2];
            self.pixels.extend(owner.iter().map(|&o| if o == 0 { label::STREET } else { HIDDEN }));
        }
        for (y, x1, x2) in scene.components.runs_of(number) {
            let row = (y - self.y) * self.width;
            self.pixels[row + x1 - self.x..row + x2 - self.x].copy_from_slice(&mask.row(y)[x1..x2]);
        }
    }

    fn integrate(&mut self) {
        let w = self.width + 1;
        self.sums.clear();
        self.sums.resize(w * (self.height + 1), [0; 4]);
        self.feet.clear();
        self.feet.resize(self.width, 0);
        for (y, pixels) in self.pixels.chunks_exact(self.width).enumerate() {
            let (above, below) = self.sums[y * w..(y + 2) * w].split_at_mut(w);
            let mut row = [0; 4];
            for (x, &pixel) in pixels.iter().enumerate() {
                row = plus(row, COUNTED[usize::from(pixel)]);
                below[x + 1] = plus(above[x + 1], row);
                if is_foreground(pixel) {
                    self.feet[x] = y + 1;
                }
            }
        }
    }

    /// The window's columns and rows inside `rect`.
    fn clip(&self, rect: &Rect) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        rect.shifted(-(self.x as f32), -(self.y as f32)).pixels(self.width, self.height)
    }

    fn count(&self, rect: &Rect) -> Count {
        let (xs, ys) = self.clip(rect);
        let at = |x: usize, y: usize| self.sums[y * (self.width + 1) + x];
        let [a, b, c, d] =
            [at(xs.end, ys.end), at(xs.start, ys.start), at(xs.start, ys.end), at(xs.end, ys.start)];
        let part = |i: usize| (a[i] + b[i] - c[i] - d[i]) as f32;
        Count { foreground: part(0), moving: part(1), hidden: part(2), shade: part(3) }
    }

    /// The box that explains most: foreground in it, less the street in it.
    fn best(&mut self, camera: &Camera, rider_width: f32, kinds: &[Kind]) -> Option<Candidate> {
        let step = ((rider_width / 4.0) as usize).max(1);
        let reach = (rider_width / 3.0).max(1.0) as usize;
        let columns = (0..=self.width).step_by(step);
        self.tried.resize(self.width / step + 1, Tried::default());
        let mut best: Option<Candidate> = None;
        for (i, u) in columns.enumerate() {
            let near = &self.feet[u.saturating_sub(reach)..(u + reach).min(self.width)];
            let foot = near.iter().max().copied().unwrap_or(0);
            // Taking a box away changes what lies about it only.
            if self.tried[i].foot != Some(foot) {
                self.tried[i] = self.try_at(u, foot, camera, kinds);
            }
            if let Some(candidate) = self.tried[i].best
                && best.is_none_or(|b| candidate.gain > b.gain)
            {
                best = Some(candidate);
            }
        }
        best
    }

    /// The best box with its foot in column `u` at row `foot`.
    fn try_at(&self, u: usize, foot: usize, camera: &Camera, kinds: &[Kind]) -> Tried {
        let mut tried = Tried { foot: Some(foot), ..Tried::default() };
        let (x, y) = ((self.x + u) as f32, (self.y + foot) as f32);
        let Some(stand) = camera.stand(x, y).filter(|_| foot > 0) else { return tried };
        for kind in kinds {
            for along in [true, false] {
                let Some((w, h)) = stand.box_of(kind.size_m, along) else { continue };
                let rect = Rect { x1: x - 0.5 * w, y1: y - h, x2: x + 0.5 * w, y2: y };
                let count = self.count(&rect);
                let area = rect.intersect(&self.picture).area();
                let visible = area - count.hidden;
                let lit = visible - count.shade;
                let gain = 2.0 * count.foreground - lit;
                tried.about = tried.about.union(&rect);
                if visible >= MIN_VISIBLE * area
                    && count.foreground >= MIN_LIT * visible
                    && count.foreground >= if along { kind.min_fill } else { ACROSS_FILL } * lit
                    && tried.best.is_none_or(|b| gain > b.gain)
                {
                    tried.best = Some(Candidate { gain, rect, class: kind.class });
                }
            }
        }
        tried
    }

    /// The part of `rect` whose outer rows and columns hold foreground.
    fn tighten(&self, rect: &Rect) -> Rect {
        let (xs, ys) = self.clip(rect);
        let row = |y: usize| {
            self.pixels[y * self.width..][..self.width][xs.clone()]
                .iter()
                .filter(|&&p| is_foreground(p))
                .count()
        };
        let column =
            |x: usize| ys.clone().filter(|&y| is_foreground(self.pixels[y * self.width + x])).count();
        let (wide, tall) = (xs.len() / 5 + 1, ys.len() / 5 + 1);
        let y1 = ys.clone().find(|&y| row(y) >= wide).unwrap_or(ys.start);
        let y2 = ys.clone().rev().find(|&y| row(y) >= wide).map_or(ys.end, |y| y + 1);
        let x1 = xs.clone().find(|&x| column(x) >= tall).unwrap_or(xs.start);
        let x2 = xs.clone().rev().find(|&x| column(x) >= tall).map_or(xs.end, |x| x + 1);
        Rect {
            x1: (self.x + x1) as f32,
            y1: (self.y + y1) as f32,
            x2: (self.x + x2) as f32,
            y2: (self.y + y2) as f32,
        }
    }

    fn remove(&mut self, rect: &Rect) {
        for tried in &mut self.tried {
            // A pixel of both may be cut by rounding.
            if tried.about.intersect(&rect.grown_by(2.0)).area() > 0.0 {
                tried.foot = None;
            }
        }
        let (xs, ys) = self.clip(rect);
        for y in ys {
            for pixel in &mut self.pixels[y * self.width..][..self.width][xs.clone()] {
                *pixel = HIDDEN;
            }
        }
    }
}

/// What a pixel adds to each count of the table, by its label.
const COUNTED: [[u32; 4]; 256] = {
    let mut counted = [[1, 0, 0, 0]; 256];
    counted[label::STREET as usize] = [0; 4];
    counted[label::MOVING as usize] = [1, 1, 0, 0];
    counted[HIDDEN as usize] = [0, 0, 1, 0];
    counted[label::SHADOW as usize] = [0, 0, 0, 1];
    counted
};

fn plus(a: [u32; 4], b: [u32; 4]) -> [u32; 4] {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]]
}

fn is_foreground(pixel: u8) -> bool {
    pixel == label::MOVING || pixel == label::SETTLED
}

/// The class of a region that is as large as one road user, and as solid.
fn single(stand: &Stand, whole: &Rect, fill: f32, kinds: &[Kind]) -> Option<VehicleClass> {
    let near = |a: f32, b: f32| (SINGLE_RATIO.0..=SINGLE_RATIO.1).contains(&(a / b));
    kinds
        .iter()
        .filter(|kind| fill >= kind.min_fill_alone)
        .find(|kind| {
            [true, false].into_iter().any(|along| {
                stand
                    .box_of(kind.size_m, along)
                    .is_some_and(|(w, h)| near(whole.width(), w) && near(whole.height(), h))
            })
        })
        .map(|kind| kind.class)
}

/// Class by the size of the box: the road user whose box comes nearest.
pub(crate) fn class_by_size(camera: &Camera, rect: &Rect) -> VehicleClass {
    let mut best = (f32::MAX, VehicleClass::Unknown);
    let Some(stand) = camera.stand(rect.centre_x(), rect.y2) else { return best.1 };
    for kind in KINDS {
        for along in [true, false] {
            let Some((w, h)) = stand.box_of(kind.size_m, along) else { continue };
            let off = (rect.width() / w).ln().abs() + (rect.height() / h).ln().abs();
            if off < best.0 {
                best = (off, kind.class);
            }
        }
    }
    best.1
}

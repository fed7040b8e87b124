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
use super::camera::{Camera, Rect};
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

/// Window around one region; buffers are kept between frames.
#[derive(Clone, Debug, Default)]
pub(crate) struct Explainer {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    pixels: Vec<u8>,
    /// Summed-area table of `pixels`, one row and column larger; the four
    /// counts are packed into one word.
    sums: Vec<u128>,
    picture: Rect,
}

/// Mark of a hidden pixel in the window.
const HIDDEN: u8 = 255;
/// Bits per count in the table: enough for any reduced picture.
const BITS: u32 = 32;

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
        let Some(rider) = camera.box_of((whole.centre_x(), whole.y2), KINDS[0].size_m, true) else { return };
        let least = MIN_AREA_PX.max(MIN_SHARE * rider.0 * rider.1);
        let mut left = blob.area as f32;
        if left < least {
            return;
        }
        let plain = (blob.shade as f32) < MAX_SHADE * left;
        if plain && let Some(class) = single(camera, &whole, left / whole.area(), scene.kinds) {
            if (blob.area - blob.settled) as f32 >= scene.min_moving * left {
                found.push(Found { rect: whole, class, score: SINGLE_SCORE });
            }
            return;
        }
        for _ in 0..MAX_PER_BLOB {
            if left < least {
                break;
            }
            self.integrate();
            let Some((rect, class)) = self.best(camera, rider.0, scene.kinds) else { break };
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
        self.sums.resize(w * (self.height + 1), 0);
        for y in 0..self.height {
            let mut row = 0;
            for x in 0..self.width {
                row += match self.pixels[y * self.width + x] {
                    label::STREET => 0,
                    label::MOVING => 1 | 1 << BITS,
                    HIDDEN => 1 << (2 * BITS),
                    label::SHADOW => 1 << (3 * BITS),
                    _ => 1,
                };
                self.sums[(y + 1) * w + x + 1] = self.sums[y * w + x + 1] + row;
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
        let sum = at(xs.end, ys.end) + at(xs.start, ys.start) - at(xs.start, ys.end) - at(xs.end, ys.start);
        let part = |i: u32| (sum >> (i * BITS) & ((1 << BITS) - 1)) as f32;
        Count { foreground: part(0), moving: part(1), hidden: part(2), shade: part(3) }
    }

    /// The box that explains most: foreground in it, less the street in it.
    fn best(&self, camera: &Camera, rider_width: f32, kinds: &[Kind]) -> Option<(Rect, VehicleClass)> {
        let step = ((rider_width / 4.0) as usize).max(1);
        let mut best: Option<(f32, Rect, VehicleClass)> = None;
        for u in (0..=self.width).step_by(step) {
            let reach = (rider_width / 3.0).max(1.0) as usize;
            let Some(v) = self.lowest(u.saturating_sub(reach)..(u + reach).min(self.width)) else { continue };
            let (x, y) = ((self.x + u) as f32, (self.y + v) as f32);
            for kind in kinds {
                for along in [true, false] {
                    let Some((w, h)) = camera.box_of((x, y), kind.size_m, along) else { continue };
                    let rect = Rect { x1: x - 0.5 * w, y1: y - h, x2: x + 0.5 * w, y2: y };
                    let count = self.count(&rect);
                    let area = rect.intersect(&self.picture).area();
                    let visible = area - count.hidden;
                    let lit = visible - count.shade;
                    let gain = 2.0 * count.foreground - lit;
                    if visible >= MIN_VISIBLE * area
                        && count.foreground >= MIN_LIT * visible
                        && count.foreground >= if along { kind.min_fill } else { ACROSS_FILL } * lit
                        && best.is_none_or(|(g, ..)| gain > g)
                    {
                        best = Some((gain, rect, kind.class));
                    }
                }
            }
        }
        best.map(|(_, rect, class)| (rect, class))
    }

    /// One past the lowest row with foreground in `columns`.
    fn lowest(&self, columns: std::ops::Range<usize>) -> Option<usize> {
        (0..self.height)
            .rev()
            .find(|&y| {
                self.pixels[y * self.width..][..self.width][columns.clone()].iter().any(|&p| is_foreground(p))
            })
            .map(|y| y + 1)
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
        let (xs, ys) = self.clip(rect);
        for y in ys {
            for pixel in &mut self.pixels[y * self.width..][..self.width][xs.clone()] {
                *pixel = HIDDEN;
            }
        }
    }
}

fn is_foreground(pixel: u8) -> bool {
    pixel == label::MOVING || pixel == label::SETTLED
}

/// The class of a region that is as large as one road user, and as solid.
fn single(camera: &Camera, whole: &Rect, fill: f32, kinds: &[Kind]) -> Option<VehicleClass> {
    let near = |a: f32, b: f32| (SINGLE_RATIO.0..=SINGLE_RATIO.1).contains(&(a / b));
    kinds
        .iter()
        .filter(|kind| fill >= kind.min_fill_alone)
        .find(|kind| {
            [true, false].into_iter().any(|along| {
                camera
                    .box_of((whole.centre_x(), whole.y2), kind.size_m, along)
                    .is_some_and(|(w, h)| near(whole.width(), w) && near(whole.height(), h))
            })
        })
        .map(|kind| kind.class)
}

/// Class by the size of the box: the road user whose box comes nearest.
pub(crate) fn class_by_size(camera: &Camera, rect: &Rect) -> VehicleClass {
    let mut best = (f32::MAX, VehicleClass::Unknown);
    for kind in KINDS {
        for along in [true, false] {
            let Some((w, h)) = camera.box_of((rect.centre_x(), rect.y2), kind.size_m, along) else {
                continue;
            };
            let off = (rect.width() / w).ln().abs() + (rect.height() / h).ln().abs();
            if off < best.0 {
                best = (off, kind.class);
            }
        }
    }
    best.1
}

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

use super::blobs::{Blob, Components};
use super::camera::{Camera, Rect};
use super::reduce::Plane;

/// Least area of anything reported, reduced pixels: below that noise and
/// vehicles cannot be told apart.
const MIN_AREA_PX: f32 = 20.0;
/// A region must have this share of a rider's size to be anybody.
const MIN_SHARE: f32 = 0.35;
/// Road users found in one region at most.
const MAX_PER_BLOB: usize = 24;

/// Outer sizes (length, width, height) in metres, riders included.
pub(crate) const SIZES: [(VehicleClass, [f64; 3]); 5] = [
    (VehicleClass::Motorcycle, [1.9, 0.8, 1.65]),
    (VehicleClass::Car, [4.4, 1.8, 1.5]),
    (VehicleClass::Truck, [6.5, 2.2, 2.8]),
    (VehicleClass::Bus, [11.0, 2.5, 3.2]),
    (VehicleClass::Pedestrian, [0.5, 0.5, 1.7]),
];

/// A road user seen for the first time, or seen but not tracked yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Found {
    pub rect: Rect,
    pub class: VehicleClass,
    /// How well the box explains the region, 0–1.
    pub score: f32,
}

/// Window around one region; buffers are kept between frames.
#[derive(Clone, Debug, Default)]
pub(crate) struct Explainer {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    pixels: Vec<u8>,
    /// Summed-area table of `pixels`, one row and column larger.
    sums: Vec<u32>,
}

impl Explainer {
    /// Append the road users of blob `number` to `found`.
    pub fn explain(
        &mut self,
        components: &Components,
        number: usize,
        camera: Option<&Camera>,
        found: &mut Vec<Found>,
    ) {
        let blob = components.blobs[number];
        self.load(&blob, components, number);
        let whole = Rect { x1: blob.x1 as f32, y1: blob.y1 as f32, x2: blob.x2 as f32, y2: blob.y2 as f32 };
        let Some(camera) = camera else {
            if blob.area as f32 >= 2.0 * MIN_AREA_PX {
                let score = 0.5 + 0.5 * blob.area as f32 / whole.area();
                found.push(Found { rect: whole, class: VehicleClass::Unknown, score });
            }
            return;
        };
        let Some(rider) = camera.box_of((whole.centre_x(), whole.y2), SIZES[0].1, true) else { return };
        let least = MIN_AREA_PX.max(MIN_SHARE * rider.0 * rider.1);
        let mut left = blob.area as f32;
        for _ in 0..MAX_PER_BLOB {
            if left < least {
                break;
            }
            self.integrate();
            let Some((rect, class)) = self.best(camera, rider.0) else { break };
            let tight = self.tighten(&rect);
            let taken = self.sum(&rect) as f32;
            if taken < least {
                break;
            }
            found.push(Found { rect: tight, class, score: 0.5 + 0.5 * (taken / rect.area()).min(1.0) });
            self.remove(&rect);
            left -= taken;
        }
    }

    fn load(&mut self, blob: &Blob, components: &Components, number: usize) {
        (self.x, self.y) = (blob.x1, blob.y1);
        (self.width, self.height) = (blob.x2 - blob.x1, blob.y2 - blob.y1);
        self.pixels.clear();
        self.pixels.resize(self.width * self.height, 0);
        for (y, x1, x2) in components.runs_of(number) {
            let row = (y - self.y) * self.width;
            self.pixels[row + x1 - self.x..row + x2 - self.x].fill(1);
        }
    }

    fn integrate(&mut self) {
        let w = self.width + 1;
        self.sums.clear();
        self.sums.resize(w * (self.height + 1), 0);
        for y in 0..self.height {
            let mut row = 0;
            for x in 0..self.width {
                row += u32::from(self.pixels[y * self.width + x]);
                self.sums[(y + 1) * w + x + 1] = self.sums[y * w + x + 1] + row;
            }
        }
    }

    /// The window's columns and rows inside `rect`.
    fn clip(&self, rect: &Rect) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        rect.shifted(-(self.x as f32), -(self.y as f32)).pixels(self.width, self.height)
    }

    fn sum(&self, rect: &Rect) -> u32 {
        let (xs, ys) = self.clip(rect);
        let at = |x: usize, y: usize| self.sums[y * (self.width + 1) + x];
        // Wrapping: the order of the terms may dip below zero, the result not.
        at(xs.end, ys.end)
            .wrapping_sub(at(xs.start, ys.end))
            .wrapping_sub(at(xs.end, ys.start))
            .wrapping_add(at(xs.start, ys.start))
    }

    /// The box that explains most: foreground in it, less the street in it.
    fn best(&self, camera: &Camera, rider_width: f32) -> Option<(Rect, VehicleClass)> {
        let step = ((rider_width / 4.0) as usize).max(1);
        let mut best: Option<(f32, Rect, VehicleClass)> = None;
        for u in (0..=self.width).step_by(step) {
            let reach = (rider_width / 3.0).max(1.0) as usize;
            let Some(v) = self.lowest(u.saturating_sub(reach)..(u + reach).min(self.width)) else { continue };
            let (x, y) = ((self.x + u) as f32, (self.y + v) as f32);
            for (class, size) in SIZES {
                for along in [true, false] {
                    let Some((w, h)) = camera.box_of((x, y), size, along) else { continue };
                    let rect = Rect { x1: x - 0.5 * w, y1: y - h, x2: x + 0.5 * w, y2: y };
                    let gain = 2.0 * self.sum(&rect) as f32 - rect.area();
                    if gain > 0.0 && best.is_none_or(|(g, ..)| gain > g) {
                        best = Some((gain, rect, class));
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
            .find(|&y| self.pixels[y * self.width..][..self.width][columns.clone()].contains(&1))
            .map(|y| y + 1)
    }

    /// The part of `rect` whose outer rows and columns hold foreground.
    fn tighten(&self, rect: &Rect) -> Rect {
        let (xs, ys) = self.clip(rect);
        let row = |y: usize| {
            self.pixels[y * self.width..][..self.width][xs.clone()].iter().filter(|&&p| p != 0).count()
        };
        let column = |x: usize| ys.clone().filter(|&y| self.pixels[y * self.width + x] != 0).count();
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
            self.pixels[y * self.width..][..self.width][xs.clone()].fill(0);
        }
    }
}

/// Class by the size of the box: the road user whose box comes nearest.
pub(crate) fn class_by_size(camera: &Camera, rect: &Rect) -> VehicleClass {
    let mut best = (f32::MAX, VehicleClass::Unknown);
    for (class, size) in SIZES {
        for along in [true, false] {
            let Some((w, h)) = camera.box_of((rect.centre_x(), rect.y2), size, along) else { continue };
            let off = (rect.width() / w).ln().abs() + (rect.height() / h).ln().abs();
            if off < best.0 {
                best = (off, class);
            }
        }
    }
    best.1
}

/// Mean gradient inside `rect`, in levels per pixel.
pub(crate) fn texture(picture: &Plane, rect: &Rect) -> f32 {
    let (xs, ys) = rect.pixels(picture.width.saturating_sub(1), picture.height.saturating_sub(1));
    let (mut sum, n) = (0u32, xs.len() * ys.len());
    for y in ys {
        let (here, below) = (picture.row(y), picture.row(y + 1));
        for x in xs.clone() {
            sum += u32::from(here[x].abs_diff(here[x + 1])) + u32::from(here[x].abs_diff(below[x]));
        }
    }
    if n == 0 { 0.0 } else { sum as f32 / n as f32 }
}

//! One frame's usable detections in columns, ordered by left edge.

use ss_model::{BoxF, Detection, VehicleClass};

use super::iou::{grown, iou};
use super::{Counts, TrackerParams};

/// Coordinates beyond this are garbage; squares stay far inside `f32`.
const ABSURD: f32 = 1e7;
/// Smaller boxes have no area in `f32`.
const SMALLEST: f32 = 1e-6;

/// One usable detection.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    /// As detected.
    pub bbox: BoxF,
    /// Grown by the buffer of the first association.
    pub grown: BoxF,
    /// Confidence, 0–1.
    pub score: f32,
    /// Class as detected.
    pub class: VehicleClass,
    /// As the detector set them.
    pub flags: u8,
    /// Index among the detections given.
    pub source: u32,
}

/// The sightings of a frame. The order depends on their places only, not on
/// the order in which they were given, so neither do results.
#[derive(Debug, Default)]
pub struct Sightings {
    /// Ordered by left edge of the grown box, then by top edge.
    pub all: Vec<Sighting>,
    /// Largest right edge of the grown boxes up to each: where a sweep may begin.
    pub reach: Vec<f32>,
    order: Vec<(u64, u32)>,
    overlaps: Vec<(u32, u32)>,
    dropped: Vec<bool>,
}

impl Sightings {
    /// Take a frame's detections; what cannot be used is counted.
    pub fn take(&mut self, detections: &[Detection], params: &TrackerParams, counts: &mut Counts) {
        self.order.clear();
        for (i, d) in detections.iter().enumerate() {
            if !usable(d) {
                counts.unusable += 1;
            } else if d.score < params.low_score {
                counts.weak += 1;
            } else {
                let left = d.bbox.x1 - params.buffer_high * d.bbox.width();
                self.order.push((u64::from(ordered(left)) << 32 | u64::from(ordered(d.bbox.y1)), i as u32));
            }
        }
        self.order.sort_unstable();
        self.all.clear();
        self.reach.clear();
        let mut reach = f32::NEG_INFINITY;
        for &(_, i) in &self.order {
            let d = &detections[i as usize];
            let grown = grown(&d.bbox, params.buffer_high);
            reach = reach.max(grown.x2);
            self.reach.push(reach);
            let &Detection { bbox, score, class, flags } = d;
            self.all.push(Sighting { bbox, grown, score: score.min(1.0), class, flags, source: i });
        }
        if params.duplicate_iou < 1.0 {
            self.drop_duplicates(params.duplicate_iou, counts);
        }
    }

    /// Greedy non-maximum suppression: a detection goes when one that stays
    /// has a higher score (the same score: a lower place) and overlaps it too much.
    fn drop_duplicates(&mut self, limit: f32, counts: &mut Counts) {
        self.overlaps.clear();
        for (i, a) in self.all.iter().enumerate() {
            for (j, b) in self.all.iter().enumerate().skip(i + 1) {
                if b.grown.x1 >= a.bbox.x2 {
                    break;
                }
                if iou(&a.bbox, &b.bbox) > limit {
                    let (better, worse) = if b.score > a.score { (j, i) } else { (i, j) };
                    self.overlaps.push((better as u32, worse as u32));
                }
            }
        }
        if self.overlaps.is_empty() {
            return;
        }
        let all = &self.all;
        self.overlaps.sort_unstable_by(|x, y| {
            all[y.0 as usize].score.total_cmp(&all[x.0 as usize].score).then(x.cmp(y))
        });
        self.dropped.clear();
        self.dropped.resize(self.all.len(), false);
        for &(better, worse) in &self.overlaps {
            if !self.dropped[better as usize] {
                self.dropped[worse as usize] = true;
            }
        }
        let before = self.all.len();
        let mut keep = self.dropped.iter().map(|d| !d);
        self.all.retain(|_| keep.next().unwrap_or(true));
        counts.duplicates += (before - self.all.len()) as u64;
        let mut reach = f32::NEG_INFINITY;
        self.reach.clear();
        for s in &self.all {
            reach = reach.max(s.grown.x2);
            self.reach.push(reach);
        }
    }
}

fn usable(d: &Detection) -> bool {
    let b = &d.bbox;
    // NaN fails every comparison.
    d.score >= 0.0
        && b.x1.abs() <= ABSURD
        && b.y1.abs() <= ABSURD
        && b.x2.abs() <= ABSURD
        && b.y2.abs() <= ABSURD
        && b.width() >= SMALLEST
        && b.height() >= SMALLEST
}

/// Bits that order as the finite number does.
fn ordered(v: f32) -> u32 {
    let bits = (v + 0.0).to_bits(); // -0 becomes 0
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

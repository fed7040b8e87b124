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
    /// The same boxes grown by the buffer of the first association.
    pub grown: Columns,
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
        self.all.extend(self.order.iter().map(|&(_, i)| {
            let &Detection { bbox, score, class, flags } = &detections[i as usize];
            Sighting { bbox, score: score.min(1.0), class, flags, source: i }
        }));
        self.grown.fill(&self.all, params.buffer_high, params.high_score);
        if params.duplicate_iou < 1.0
            && self.drop_duplicates(params.duplicate_iou, params.buffer_high, counts)
        {
            self.grown.fill(&self.all, params.buffer_high, params.high_score);
        }
    }

    /// Greedy non-maximum suppression: a detection goes when one that stays
    /// has a higher score (the same score: a lower place) and overlaps it too
    /// much. Tells whether any went.
    fn drop_duplicates(&mut self, limit: f32, buffer: f32, counts: &mut Counts) -> bool {
        // Boxes that overlap by more than `limit` have widths within that ratio,
        // so their left edges, grown or not, lie close to each other.
        let near = (1.0 - limit) * (1.0 + buffer);
        self.overlaps.clear();
        for (i, a) in self.all.iter().enumerate() {
            let last = self.grown.x1[i] + near * a.bbox.width() * 1.0001;
            for (j, b) in self.all.iter().enumerate().skip(i + 1) {
                if self.grown.x1[j] > last {
                    break;
                }
                if iou(&a.bbox, &b.bbox) > limit {
                    let (better, worse) = if b.score > a.score { (j, i) } else { (i, j) };
                    self.overlaps.push((better as u32, worse as u32));
                }
            }
        }
        if self.overlaps.is_empty() {
            return false;
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
        true
    }
}

/// Largest number of cells along x; there are no more than boxes.
const CELLS: usize = 64;

/// Boxes edge by edge, ordered by left edge, and where along x to look for them.
#[derive(Debug, Default)]
pub struct Columns {
    x1: Vec<f32>,
    y1: Vec<f32>,
    x2: Vec<f32>,
    y2: Vec<f32>,
    /// Left end and cells per unit of length.
    cells: (f32, f32),
    /// Per cell: the first box that reaches it or beyond, the end of those that begin in it or before.
    span: Vec<(u32, u32)>,
    hits: Vec<u32>,
}

impl Columns {
    /// Take the strong sightings' boxes, grown; weak ones keep their places but nothing touches them.
    fn fill(&mut self, sightings: &[Sighting], share: f32, strong: f32) {
        for column in [&mut self.x1, &mut self.y1, &mut self.x2, &mut self.y2] {
            column.clear();
        }
        for s in sightings {
            let b = grown(&s.bbox, share);
            self.x1.push(b.x1);
            self.y1.push(if s.score < strong { f32::INFINITY } else { b.y1 });
            self.x2.push(b.x2);
            self.y2.push(b.y2);
        }
        self.hits.resize(self.x1.len(), 0);
        let (Some(&first), Some(&last)) = (self.x1.first(), self.x1.last()) else { return };
        let cells = CELLS.min(self.x1.len());
        self.cells = (first, cells as f32 / (last - first).max(f32::MIN_POSITIVE));
        self.span.clear();
        self.span.resize(cells, (0, 0));
        let mut reach = 0;
        for i in 0..self.x1.len() {
            let (begins, reached) = (self.cell(self.x1[i]), self.cell(self.x2[i]) + 1);
            self.span[begins].1 = i as u32 + 1;
            if reached > reach {
                self.span[reach..reached].iter_mut().for_each(|span| span.0 = i as u32);
                reach = reached;
            }
        }
        let mut end = 0;
        for span in &mut self.span {
            end = end.max(span.1);
            span.1 = end;
        }
        let none = self.x1.len() as u32;
        self.span[reach..].iter_mut().for_each(|span| span.0 = none);
    }

    /// The cell of a place; those outside belong to the first and last.
    #[inline]
    fn cell(&self, x: f32) -> usize {
        (((x - self.cells.0) * self.cells.1) as usize).min(self.span.len() - 1)
    }

    /// Indices of the strong sightings whose grown boxes touch `b`.
    #[inline]
    pub fn touching(&mut self, b: &BoxF) -> &[u32] {
        if self.x1.is_empty() {
            return &[];
        }
        let (from, to) = (self.span[self.cell(b.x1)].0, self.span[self.cell(b.x2)].1);
        let range = from as usize..to.max(from) as usize;
        let (x1, x2) = (&self.x1[range.clone()], &self.x2[range.clone()]);
        let (y1, y2) = (&self.y1[range.clone()], &self.y2[range]);
        // Which neighbours touch is a coin toss for the processor: store every
        // index, and count on only past those that do.
        let mut found = 0;
        for (i, (((&x1, &x2), &y1), &y2)) in (from..).zip(x1.iter().zip(x2).zip(y1).zip(y2)) {
            self.hits[found] = i;
            let along = usize::from(x1 < b.x2) & usize::from(x2 > b.x1);
            found += along & usize::from(y1 < b.y2) & usize::from(y2 > b.y1);
        }
        &self.hits[..found]
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Suppression as its definition says: by falling score, whoever is left takes out what it overlaps.
    fn plain(detections: &[Detection], limit: f32) -> Vec<u32> {
        let mut order: Vec<usize> = (0..detections.len()).collect();
        order.sort_by(|&a, &b| detections[b].score.total_cmp(&detections[a].score));
        let mut kept: Vec<usize> = Vec::new();
        for i in order {
            if kept.iter().all(|&k| iou(&detections[k].bbox, &detections[i].bbox) <= limit) {
                kept.push(i);
            }
        }
        kept.sort_unstable();
        kept.into_iter().map(|i| i as u32).collect()
    }

    proptest! {
        #[test]
        fn suppression_equals_its_definition(
            boxes in proptest::collection::vec((0u8..60, 0u8..20, 8u8..60, 8u8..30), 0..30), limit in 0.2f32..0.9,
        ) {
            let detections: Vec<Detection> = boxes.iter().enumerate().map(|(i, &(x, y, w, h))| Detection {
                bbox: BoxF { x1: x.into(), y1: y.into(), x2: f32::from(x) + f32::from(w), y2: f32::from(y) + f32::from(h) },
                score: 0.99 - 0.001 * i as f32, class: VehicleClass::Car, flags: 0 }).collect();
            let params = TrackerParams { duplicate_iou: limit, ..TrackerParams::vehicle() };
            let mut seen = Sightings::default();
            seen.take(&detections, &params, &mut Counts::default());
            let mut kept: Vec<u32> = seen.all.iter().map(|s| s.source).collect();
            kept.sort_unstable();
            prop_assert_eq!(kept, plain(&detections, limit));
        }

        #[test]
        fn a_sweep_finds_every_box_that_touches(
            boxes in proptest::collection::vec((-50i8..50, -50i8..50, 1u8..60, 1u8..60), 1..40),
        ) {
            let detections: Vec<Detection> = boxes.iter().map(|&(x, y, w, h)| Detection {
                bbox: BoxF { x1: x.into(), y1: y.into(), x2: f32::from(x) + f32::from(w), y2: f32::from(y) + f32::from(h) },
                score: 0.9, class: VehicleClass::Car, flags: 0 }).collect();
            let params = TrackerParams { duplicate_iou: 1.0, ..TrackerParams::vehicle() };
            let mut seen = Sightings::default();
            seen.take(&detections, &params, &mut Counts::default());
            for d in &detections {
                let expected: Vec<u32> = (0..seen.all.len() as u32)
                    .filter(|&i| iou(&d.bbox, &grown(&seen.all[i as usize].bbox, params.buffer_high)) > 0.0)
                    .collect();
                prop_assert_eq!(seen.grown.touching(&d.bbox), &expected[..]);
            }
        }
    }
}

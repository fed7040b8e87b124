//! Which track may continue in which sighting, and how surely.

use ss_model::{BoxF, Track, VehicleClass};

use super::assign::{Assigner, NONE, Pair};
use super::iou::{grown, height_iou, iou};
use super::lifecycle::Life;
use super::sightings::{Sighting, Sightings};
use super::{Probe, Step, TrackerParams};

/// Closeness of a rival that is there, but would hardly do instead.
const FAINT: f32 = f32::MIN_POSITIVE;

/// Result of associating one frame, with scratch memory.
#[derive(Debug, Default)]
pub struct Association {
    /// Sighting that continues each track, or [`NONE`].
    pub partner: Vec<u32>,
    /// Whether each sighting continues a track.
    pub taken: Vec<bool>,
    /// How good the best rival of each track's continuation is, as a share of it; 0 without one.
    pub rival: Vec<f32>,
    /// Whether each track's blob has merged or split here.
    pub blurred: Vec<bool>,
    pairs: Vec<Pair>,
    open: Vec<(u32, BoxF)>,
    weight: Vec<f32>,
    assigner: Assigner,
}

impl Association {
    /// Three passes, each only over what the one before left: strong
    /// detections to confirmed tracks, weak ones to tracks seen in the frame
    /// before, strong ones to unconfirmed tracks.
    pub fn run(
        &mut self,
        lives: &[Life],
        predicted: &[BoxF],
        seen: &mut Sightings,
        params: &TrackerParams,
        probe: &mut impl Probe,
    ) {
        self.partner.clear();
        self.partner.resize(lives.len(), NONE);
        self.rival.clear();
        self.rival.resize(lives.len(), 0.0);
        self.blurred.clear();
        self.blurred.resize(lives.len(), false);
        self.taken.clear();
        self.taken.resize(seen.all.len(), false);

        self.pair_strong(lives, predicted, seen, params);
        probe.end(Step::Pair);
        self.settle(params.gate_high, lives, seen, params.new_score);
        probe.end(Step::Assign);
        self.pair_weak(lives, predicted, seen, params);
        probe.end(Step::Pair);
        self.settle(params.gate_low, lives, seen, params.new_score);
        probe.end(Step::Assign);
        if params.confirm_hits > 1 {
            self.pair_young(lives, predicted, seen, params);
            probe.end(Step::Pair);
            self.settle(params.gate_new, lives, seen, params.new_score);
            probe.end(Step::Assign);
        }
        if params.doubt_cover < 1.0 {
            self.doubt_merged_and_split(lives, predicted, seen, params);
        }
    }

    /// A merged blob continues one of its tracks and leaves the others without
    /// a sighting within it; a split one leaves sightings where its track was.
    fn doubt_merged_and_split(
        &mut self,
        lives: &[Life],
        predicted: &[BoxF],
        seen: &Sightings,
        params: &TrackerParams,
    ) {
        let just_lost =
            |row: &usize| self.partner[*row] == NONE && lives[*row].confirmed && lives[*row].missed == 0;
        for lost in (0..lives.len()).filter(just_lost) {
            for (blurred, &col) in self.blurred.iter_mut().zip(&self.partner) {
                let merged = |s: &Sighting| s.bbox.cover(&predicted[lost]) >= params.doubt_cover;
                *blurred |= seen.all.get(col as usize).is_some_and(merged);
            }
        }
        let begins = |(s, taken): &(&Sighting, &bool)| !**taken && s.score >= params.new_score;
        for (begun, _) in seen.all.iter().zip(&self.taken).filter(begins) {
            for ((blurred, &col), at) in self.blurred.iter_mut().zip(&self.partner).zip(predicted) {
                *blurred |= col != NONE && at.cover(&begun.bbox) >= params.doubt_cover;
            }
        }
    }

    fn pair_strong(
        &mut self,
        lives: &[Life],
        predicted: &[BoxF],
        seen: &mut Sightings,
        params: &TrackerParams,
    ) {
        for (row, (life, at)) in lives.iter().zip(predicted).enumerate() {
            if !life.confirmed {
                continue;
            }
            let reach = grown(at, params.buffer_high);
            for &col in seen.grown.touching(&reach) {
                let s = &seen.all[col as usize];
                let mut likeness = iou(&reach, &grown(&s.bbox, params.buffer_high));
                if params.height_weighted {
                    likeness *= height_iou(at, &s.bbox);
                }
                if params.score_weighted {
                    likeness *= s.score;
                }
                if likeness > params.gate_high {
                    self.pairs.push(Pair { row: row as u32, col, weight: likeness - params.gate_high });
                }
            }
        }
    }

    fn pair_weak(&mut self, lives: &[Life], predicted: &[BoxF], seen: &Sightings, params: &TrackerParams) {
        self.open.clear();
        if seen.all.iter().zip(&self.taken).all(|(s, taken)| *taken || s.score >= params.high_score) {
            return;
        }
        for (row, life) in lives.iter().enumerate() {
            if life.confirmed && life.missed == 0 && self.partner[row] == NONE {
                self.open.push((row as u32, grown(&predicted[row], params.buffer_low)));
            }
        }
        for (col, s) in seen.all.iter().enumerate() {
            if s.score >= params.high_score || self.taken[col] {
                continue;
            }
            let reach = grown(&s.bbox, params.buffer_low);
            for (row, at) in &self.open {
                let likeness = iou(at, &reach);
                if likeness > params.gate_low {
                    self.pairs.push(Pair { row: *row, col: col as u32, weight: likeness - params.gate_low });
                }
            }
        }
        self.pairs.sort_unstable_by_key(|p| (p.row, p.col));
    }

    fn pair_young(&mut self, lives: &[Life], predicted: &[BoxF], seen: &Sightings, params: &TrackerParams) {
        for (row, (life, at)) in lives.iter().zip(predicted).enumerate() {
            if life.confirmed {
                continue;
            }
            for (col, s) in seen.all.iter().enumerate() {
                if s.score >= params.high_score && !self.taken[col] {
                    let likeness = iou(at, &s.bbox);
                    if likeness > params.gate_new {
                        self.pairs.push(Pair {
                            row: row as u32,
                            col: col as u32,
                            weight: likeness - params.gate_new,
                        });
                    }
                }
            }
        }
    }

    /// Solve the pairs gathered, and empty them.
    fn settle(&mut self, gate: f32, lives: &[Life], seen: &Sightings, new_score: f32) {
        if self.pairs.is_empty() {
            return;
        }
        self.assigner.solve(self.partner.len(), self.taken.len(), &self.pairs);
        self.weight.clear();
        self.weight.resize(self.partner.len(), 0.0);
        let mut matched = 0;
        for p in &self.pairs {
            if self.assigner.of_row[p.row as usize] == p.col {
                self.partner[p.row as usize] = p.col;
                self.taken[p.col as usize] = true;
                self.weight[p.row as usize] = p.weight;
                matched += 1;
            }
        }
        if matched < self.pairs.len() {
            self.find_rivals(gate, lives, seen, new_score);
        }
        self.pairs.clear();
    }

    /// Of each continuation the best rival: another track left without a
    /// sighting, a sighting left without a track that is strong enough to
    /// begin one, or two tracks that could have swapped theirs; a swap among
    /// three is a faint one. A car is no rival of a motorcycle.
    fn find_rivals(&mut self, gate: f32, lives: &[Life], seen: &Sightings, new_score: f32) {
        let Assigner { of_row, of_col, .. } = &self.assigner;
        let likeness = |weight: f32| weight + gate;
        let may_be = |row: u32, col: u32| may_be(lives[row as usize].class(), &seen.all[col as usize]);
        let mut rivals = |track: usize, closeness: f32| {
            self.rival[track] = self.rival[track].max(closeness);
        };
        for p in &self.pairs {
            let (row, col) = (p.row as usize, p.col as usize);
            let (its_col, its_row) = (of_row[row], of_col[col]);
            if its_col == p.col || !may_be(p.row, p.col) {
                continue;
            }
            if its_col == NONE && its_row != NONE {
                let holder = its_row as usize;
                rivals(holder, likeness(p.weight) / likeness(self.weight[holder]));
            } else if its_row == NONE && its_col != NONE {
                if seen.all[col].score >= new_score {
                    rivals(row, likeness(p.weight) / likeness(self.weight[row]));
                }
            } else if its_row != NONE && its_col != NONE && may_be(its_row, its_col) {
                let holder = its_row as usize;
                let cross = self.pairs.binary_search_by_key(&(its_row, its_col), |q| (q.row, q.col));
                let closeness = cross.map_or(FAINT, |cross| {
                    let swapped = likeness(p.weight) + likeness(self.pairs[cross].weight);
                    swapped / (likeness(self.weight[row]) + likeness(self.weight[holder]))
                });
                rivals(row, closeness);
                rivals(holder, closeness);
            }
        }
    }
}

/// Whether a track of this class may go on in that sighting: detection models
/// take a car for a lorry, and somebody on foot for a rider, but hardly ever a
/// two-wheeler for a car. A class told by size tells nothing.
fn may_be(class: VehicleClass, sighting: &Sighting) -> bool {
    let told = sighting.flags & Track::CLASS_BY_SIZE == 0;
    match (is_car_or_larger(class), is_car_or_larger(sighting.class)) {
        (Some(one), Some(other)) => one == other || !told,
        _ => true,
    }
}

fn is_car_or_larger(class: VehicleClass) -> Option<bool> {
    match class {
        VehicleClass::Unknown => None,
        VehicleClass::Motorcycle | VehicleClass::Bicycle | VehicleClass::Pedestrian => Some(false),
        VehicleClass::Car | VehicleClass::Truck | VehicleClass::Bus => Some(true),
    }
}

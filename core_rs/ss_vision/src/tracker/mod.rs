//! Multi-object tracker: detections of consecutive frames to tracks.
//!
//! One instance per camera. A frame goes through five steps: take the usable
//! detections ([`sightings`]), move every track on ([`kalman`]), associate
//! ([`associate`]: which pairs; [`assign`]: the best of them), then correct,
//! end and begin tracks ([`lifecycle`]). Nothing knows a clock: steps come
//! from the frames' times, memory is in seconds.
//!
//! Every length is relative to the road user's own width or height, so boxes
//! may be normalised or in pixels, and the picture's shape does not matter.
//!
//! Same frames, same tracks: results do not depend on the order of detections
//! within a frame (exact ties apart), nor on when a snapshot was taken.

mod assign;
mod associate;
mod clip;
mod iou;
mod kalman;
mod lifecycle;
mod params;
mod sightings;
mod snapshot;
mod steps;

use ss_model::{BoxF, Detection, EventTime, Track};

use assign::NONE;
use associate::Association;
pub use clip::ClipTracks;
pub use iou::iou;
use kalman::BoxFilter;
use lifecycle::Life;
pub use params::TrackerParams;
use sightings::Sightings;
pub use steps::{Probe, Step};

/// What became of the detections that reached no track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// Detections given.
    pub detections: u64,
    /// Not finite, empty, of absurd size, or without a score of at least 0.
    pub unusable: u64,
    /// Below the lowest score.
    pub weak: u64,
    /// Suppressed by a better box at the same place.
    pub duplicates: u64,
}

/// The tracker of one camera.
#[derive(Debug)]
pub struct Tracker {
    params: TrackerParams,
    lost_ns: i64,
    doubt_gap_ns: i64,
    /// Lives, filters and predicted boxes of the same track share an index; ids ascend.
    lives: Vec<Life>,
    filters: Vec<BoxFilter>,
    predicted: Vec<BoxF>,
    next_id: u32,
    now: Option<EventTime>,
    counts: Counts,
    seen: Sightings,
    association: Association,
    rows: Vec<Track>,
    sources: Vec<u32>,
}

impl Tracker {
    /// A tracker that has seen nothing.
    ///
    /// # Errors
    /// `InvalidInput` when a parameter is out of range.
    pub fn new(params: TrackerParams) -> ss_model::Result<Self> {
        params.validate()?;
        Ok(Self {
            params,
            lost_ns: nanoseconds(params.lost_s),
            doubt_gap_ns: nanoseconds(params.doubt_gap_s),
            lives: Vec::new(),
            filters: Vec::new(),
            predicted: Vec::new(),
            next_id: 1,
            now: None,
            counts: Counts::default(),
            seen: Sightings::default(),
            association: Association::default(),
            rows: Vec::new(),
            sources: Vec::new(),
        })
    }

    /// The tracks in the frame taken at `time`, ordered by id.
    ///
    /// Rows carry the detection's box. Call it for every frame, also for one
    /// without detections. A frame not later than the one before moves nothing.
    pub fn update(&mut self, time: EventTime, detections: &[Detection]) -> &[Track] {
        self.update_probed(time, detections, &mut ())
    }

    /// As [`update`](Self::update), telling `probe` when each step ends.
    pub fn update_probed(
        &mut self,
        time: EventTime,
        detections: &[Detection],
        probe: &mut impl Probe,
    ) -> &[Track] {
        probe.begin();
        self.counts.detections += detections.len() as u64;
        self.seen.take(detections, &self.params, &mut self.counts);
        probe.end(Step::Take);
        self.predict(time);
        probe.end(Step::Predict);
        self.association.run(&self.lives, &self.predicted, &mut self.seen, &self.params, probe);
        self.correct(time);
        self.end_unconfirmed();
        self.begin(time);
        probe.end(Step::Correct);
        &self.rows
    }

    /// The rows of the latest frame, as [`update`](Self::update) gave them.
    pub fn rows(&self) -> &[Track] {
        &self.rows
    }

    /// For each row of the latest frame, the index of its detection among those given.
    pub fn sources(&self) -> &[u32] {
        &self.sources
    }

    /// Detections so far, and why some were not used.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The parameters it was made with.
    pub fn params(&self) -> &TrackerParams {
        &self.params
    }

    /// Tracks remembered now, lost and unconfirmed ones included.
    pub fn alive(&self) -> usize {
        self.lives.len()
    }

    /// Forget tracks lost for too long, move the others to `time`.
    fn predict(&mut self, time: EventTime) {
        let elapsed_s = self.now.map_or(0.0, |before| time.seconds_since(before).max(0.0));
        self.now = Some(self.now.map_or(time, |before| before.max(time)));
        let step = (elapsed_s / f64::from(self.params.nominal_step_s)) as f32;
        let lost_ns = self.lost_ns;
        self.keep(|life| time.0.saturating_sub(life.last_seen.0) <= lost_ns);
        self.predicted.clear();
        for (filter, life) in self.filters.iter_mut().zip(&self.lives) {
            filter.predict(step, self.params.process_noise, life.missed > 0);
            self.predicted.push(filter.bbox());
        }
    }

    /// Correct the tracks that were seen and report them.
    fn correct(&mut self, time: EventTime) {
        self.rows.clear();
        self.sources.clear();
        for (i, (life, filter)) in self.lives.iter_mut().zip(&mut self.filters).enumerate() {
            let partner = self.association.partner[i];
            if partner == NONE {
                life.missed = life.missed.saturating_add(1);
                continue;
            }
            let sighting = &self.seen.all[partner as usize];
            let rival = self.association.rival[i];
            let contested = rival > 0.0 && self.params.is_contested(rival, filter.surprise(&sighting.bbox));
            filter.update(&sighting.bbox);
            // One frame missed at a low frame rate is no gap yet.
            let gap = life.missed > 1 && time.0.saturating_sub(life.last_seen.0) > self.doubt_gap_ns;
            let doubtful = gap || contested || self.association.blurred[i];
            life.seen(time, sighting, self.params.confirm_hits, doubtful);
            if life.confirmed {
                let doubt = if doubtful { Track::DOUBTFUL } else { 0 };
                self.rows.push(life.row(sighting, doubt));
                self.sources.push(sighting.source);
            }
        }
    }

    /// An unconfirmed track ends with the first frame that does not show it.
    fn end_unconfirmed(&mut self) {
        if self.params.confirm_hits > 1 {
            self.keep(|life| life.confirmed || life.missed == 0);
        }
    }

    /// Sightings that continue no track begin one; ids ascend with their places.
    fn begin(&mut self, time: EventTime) {
        for (sighting, &taken) in self.seen.all.iter().zip(&self.association.taken) {
            if taken || sighting.score < self.params.new_score || self.next_id == u32::MAX {
                continue;
            }
            let life = Life::born(self.next_id, time, sighting, self.params.confirm_hits);
            self.next_id += 1;
            if life.confirmed {
                self.rows.push(life.row(sighting, 0));
                self.sources.push(sighting.source);
            }
            self.lives.push(life);
            self.filters.push(BoxFilter::new(&sighting.bbox));
        }
    }

    /// Drop the tracks that `stay` does not hold on to, keeping the order.
    fn keep(&mut self, stay: impl Fn(&Life) -> bool) {
        if self.lives.iter().all(&stay) {
            return;
        }
        let mut lives = self.lives.iter();
        self.filters.retain(|_| lives.next().is_some_and(&stay));
        self.lives.retain(stay);
    }
}

fn nanoseconds(seconds: f32) -> i64 {
    (f64::from(seconds) * 1e9).round() as i64
}

#[cfg(test)]
mod tests;

//! Birth, confirmation, memory and class of one track.

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, Track, VehicleClass};

use super::sightings::Sighting;

const CLASSES: usize = VehicleClass::ALL.len();

/// What is known of a track besides its motion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Life {
    /// Number within the run, from 1.
    pub id: u32,
    /// Reported since then.
    pub confirmed: bool,
    /// Frames since the latest sighting: 0 when the latest frame shows it.
    pub missed: u32,
    /// Sightings so far.
    pub hits: u32,
    /// Time of the latest sighting.
    pub last_seen: EventTime,
    class: VehicleClass,
    votes: [f32; CLASSES],
}

impl Life {
    /// A track begins.
    pub fn born(id: u32, time: EventTime, first: &Sighting, confirm_hits: u32) -> Self {
        let mut life = Self {
            id,
            confirmed: confirm_hits <= 1,
            missed: 0,
            hits: 1,
            last_seen: time,
            class: VehicleClass::Unknown,
            votes: [0.0; CLASSES],
        };
        life.vote(first);
        life
    }

    /// A track continues. Where it may be somebody else from here on, the class is told anew; an outline has none
    /// of its own to tell.
    #[inline]
    pub fn seen(&mut self, time: EventTime, sighting: &Sighting, confirm_hits: u32, doubtful: bool) {
        if doubtful && sighting.flags & Track::CLASS_BY_SIZE == 0 {
            self.votes = [0.0; CLASSES];
        }
        self.hits = self.hits.saturating_add(1);
        self.confirmed |= self.hits >= confirm_hits;
        self.missed = 0;
        self.last_seen = time;
        self.vote(sighting);
    }

    /// Its class by the votes so far.
    #[inline]
    pub fn class(&self) -> VehicleClass {
        self.class
    }

    /// The class is the one with the highest sum of scores; one that draws
    /// level does not displace it, and `Unknown` yields to any other.
    #[inline]
    fn vote(&mut self, sighting: &Sighting) {
        let class = sighting.class;
        self.votes[class as usize] += sighting.score;
        let ahead = self.votes[class as usize] > self.votes[self.class as usize];
        if class != VehicleClass::Unknown && (ahead || self.class == VehicleClass::Unknown) {
            self.class = class;
        }
    }

    /// What is reported of it in a frame that shows it; the tracker adds `flags` to the detector's.
    #[inline]
    pub fn row(&self, sighting: &Sighting, flags: u8) -> Track {
        let flags = flags | sighting.flags;
        Track { id: self.id, bbox: sighting.bbox, score: sighting.score, class: self.class, flags }
    }

    /// Could have been written by this tracker.
    pub fn is_sound(&self) -> bool {
        self.id > 0 && self.hits > 0 && self.votes.iter().all(|v| v.is_finite() && *v >= 0.0)
    }
}

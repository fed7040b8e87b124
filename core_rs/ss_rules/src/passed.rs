//! Who has crossed lately: a vehicle counts once per passage.
//!
//! A detector of motion sees a vehicle as several outlines now and then, and
//! a tracker gives one that it has lost a new number; each goes over a line.
//! Two passages at one place and one instant are of one vehicle unless the two
//! are seen apart from each other. What a model recognised is a vehicle of
//! its own as soon as it is seen to cross.

use serde::{Deserialize, Serialize};
use ss_model::EventTime;

use crate::crossing::Crossing;
use crate::place::Place;

/// Nobody drives over a line, comes back and drives over it anew so soon: its box has jumped to and fro. Told at once, a
/// jump would count; so an outline must have gone on …
pub const TREMBLES_S: f64 = 3.0;
/// … this far, which no box jumps and stays.
pub const GONE_ON_M: f64 = 2.0;
/// Two crossings so near in time and along the line may be of one vehicle.
const SAME_S: f64 = 1.0;
const SAME_M: f64 = 1.5;
/// A passage is kept for as long as a later told one may be the same.
const KEEP_S: f64 = 5.0;

/// Whose passage it is.
#[derive(Clone, Copy, Debug)]
pub struct Passer {
    /// Number of its track.
    pub track: u32,
    /// Nothing but motion tells what it is.
    pub is_outline: bool,
    /// Concluded from where it appeared.
    pub unseen: bool,
    /// Where it is now.
    pub place: Place,
}

/// The latest crossings.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Passed {
    /// First frame of the run: who is past the line already was over it before.
    since: Option<EventTime>,
    lately: Vec<Passage>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Passage {
    line: u16,
    rightward: bool,
    time: EventTime,
    station: f64,
    /// When it was known.
    told: EventTime,
    track: u32,
    is_outline: bool,
    /// When and where it was seen last.
    seen: EventTime,
    place: Place,
}

impl Passed {
    /// A frame of the run begins.
    pub fn begin(&mut self, now: EventTime) {
        self.since.get_or_insert(now);
        self.lately.retain(|p| now.seconds_since(p.told) <= KEEP_S);
    }

    /// Where those are who are in the frame of `now`.
    pub fn see(&mut self, now: EventTime, place_of: impl Fn(u32) -> Option<Place>) {
        for passage in &mut self.lately {
            if let Some(place) = place_of(passage.track) {
                (passage.seen, passage.place) = (now, place);
            }
        }
    }

    /// `who` has crossed `line`; answers whether that is to be counted.
    pub fn counts(&mut self, line: u16, crossing: &Crossing, who: &Passer, now: EventTime) -> bool {
        let before_all = who.unseen && self.since.is_none_or(|since| crossing.time <= since);
        let repeats = self.lately.iter().any(|p| p.may_be(line, crossing, who, now));
        self.lately.push(Passage {
            line,
            rightward: crossing.rightward,
            time: crossing.time,
            station: crossing.station,
            told: now,
            track: who.track,
            is_outline: who.is_outline,
            seen: now,
            place: who.place,
        });
        !before_all && !repeats
    }

    /// `track` did not cross `line` after all: it is back.
    pub fn take_back(&mut self, line: u16, track: u32) {
        self.lately.retain(|p| (p.line, p.track) != (line, track));
    }
}

impl Passage {
    /// Whether a crossing by `who` may be this passage, told once more.
    fn may_be(&self, line: u16, crossing: &Crossing, who: &Passer, now: EventTime) -> bool {
        if (self.line, self.rightward) != (line, crossing.rightward) {
            return false;
        }
        if self.track == who.track {
            return (who.is_outline || who.unseen) && now.seconds_since(self.told) <= TREMBLES_S;
        }
        let in_doubt = who.unseen || who.is_outline && self.is_outline;
        let near = self.time.seconds_since(crossing.time).abs() <= SAME_S
            && (self.station - crossing.station).abs() * crossing.unit_m <= SAME_M;
        let apart = self.seen == now && !self.place.touches(&who.place);
        in_doubt && near && !apart
    }
}

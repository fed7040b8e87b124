//! What a camera has done so far.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Counters of one camera, from the first frame of its first run; a resumed
/// run carries them on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Frames that came out of the decoder.
    pub frames_decoded: u64,
    /// Frames that detector and tracker saw.
    pub frames_seen: u64,
    /// Frames between two looks of a detector; the tracker needs none of them.
    pub frames_between: u64,
    /// Pictures that a detector from outside was asked about.
    pub pictures_asked: u64,
    /// Of the frames seen, those that may build on a damaged one.
    pub frames_doubtful: u64,
    /// Of those, frames whose time was guessed.
    pub frames_time_guessed: u64,
    /// Detections in them.
    pub detections: u64,
    /// Tracks in them, frame by frame.
    pub track_rows: u64,
    /// Batches of tracks handed out.
    pub batches: u64,
    /// Runs that broke.
    pub gaps: u64,
    /// Live: packets read.
    pub packets_received: u64,
    /// Live: connections made.
    pub connections: u64,
    /// Frames and packets lost, by reason.
    pub lost: BTreeMap<String, u64>,
}

impl Counts {
    /// By name, for metrics.
    pub fn by_name(&self) -> BTreeMap<String, u64> {
        let mut all: BTreeMap<String, u64> = [
            ("frames_decoded", self.frames_decoded),
            ("frames_seen", self.frames_seen),
            ("frames_between", self.frames_between),
            ("pictures_asked", self.pictures_asked),
            ("frames_doubtful", self.frames_doubtful),
            ("frames_time_guessed", self.frames_time_guessed),
            ("detections", self.detections),
            ("track_rows", self.track_rows),
            ("batches", self.batches),
            ("gaps", self.gaps),
        ]
        .map(|(name, n)| (name.to_owned(), n))
        .into();
        if self.packets_received > 0 {
            all.insert("packets_received".into(), self.packets_received);
            all.insert("connections".into(), self.connections);
        }
        all.extend(self.lost.iter().map(|(reason, &n)| (format!("lost_{reason}"), n)));
        all
    }
}

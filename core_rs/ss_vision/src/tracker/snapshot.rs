//! The whole state of a tracker as bytes, for recovery.

use serde::{Deserialize, Serialize};
use ss_model::{Error, EventTime, Result};

use super::kalman::BoxFilter;
use super::lifecycle::Life;
use super::{Counts, Tracker};

/// First byte of a snapshot; raised whenever the layout or its meaning changes.
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct State {
    next_id: u32,
    now: Option<EventTime>,
    counts: Counts,
    tracks: Vec<(Life, BoxFilter)>,
}

impl Tracker {
    /// Everything that later frames depend on, parameters excepted. Exact: a
    /// tracker restored from it goes on as this one does.
    pub fn snapshot(&self) -> Vec<u8> {
        let state = State {
            next_id: self.next_id,
            now: self.now,
            counts: self.counts,
            tracks: self.lives.iter().cloned().zip(self.filters.iter().copied()).collect(),
        };
        // Writing plain numbers into a growing vector has no way to fail.
        postcard::to_extend(&state, vec![VERSION]).unwrap_or_default()
    }

    /// Go on from a snapshot; on an error the tracker is as it was.
    ///
    /// # Errors
    /// `InvalidInput` for an unknown version, `DataLoss` when the bytes are not a whole snapshot.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        let Some((&version, body)) = bytes.split_first() else {
            return Err(Error::data_loss("tracker snapshot: empty"));
        };
        if version != VERSION {
            return Err(Error::invalid(format!(
                "tracker snapshot: found version {version}, expected {VERSION}"
            )));
        }
        let broken =
            |what: &str| Error::data_loss(format!("tracker snapshot: {what} ({} bytes)", bytes.len()));
        let (state, rest) = postcard::take_from_bytes::<State>(body).map_err(|e| broken(&e.to_string()))?;
        if !rest.is_empty() {
            return Err(broken("bytes beyond its end"));
        }
        let ids = || state.tracks.iter().map(|(life, _)| life.id);
        let ascending = ids().zip(ids().skip(1)).all(|(a, b)| a < b) && ids().all(|id| id < state.next_id);
        if !ascending || !state.tracks.iter().all(|(life, filter)| life.is_sound() && filter.is_sound()) {
            return Err(broken("tracks that no tracker writes"));
        }
        self.next_id = state.next_id;
        self.now = state.now;
        self.counts = state.counts;
        (self.lives, self.filters) = state.tracks.into_iter().unzip();
        self.rows.clear();
        self.sources.clear();
        Ok(())
    }
}

//! A picture that stays the same to the last bit.

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, LumaFrame};

use super::{SightChange, change};

/// A picture that stays the same for so long is frozen: no sensor is without noise.
const FROZEN_S: f64 = 10.0;

/// Every so manieth row is looked at: noise is everywhere.
const STEP: usize = 8;

/// What is known of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Still {
    /// Its fingerprint, and since when it is the same.
    same: Option<(u64, EventTime)>,
    frozen: bool,
}

impl Still {
    /// The next look.
    pub fn look(&mut self, frame: &LumaFrame<'_>, told: &mut Vec<SightChange>) {
        let now = frame.time;
        let rows =
            frame.data.chunks(frame.stride).take(frame.height).step_by(STEP).map(|row| &row[..frame.width]);
        let mark = rows.fold(0_u64, |h, row| h.rotate_left(5) ^ xxhash_rust::xxh3::xxh3_64(row));
        let since = match self.same {
            Some((before, since)) if before == mark => since,
            _ => now,
        };
        self.same = Some((mark, since));
        let frozen = now.seconds_since(since) >= FROZEN_S;
        if frozen && !self.frozen {
            let detail = format!("the same picture for {FROZEN_S} s");
            told.push(change("frozen", true, since, now, detail));
            self.frozen = true;
        } else if !frozen {
            self.end(now, "it moves again", told);
        }
    }

    /// Nothing is known of the picture any more.
    pub fn end(&mut self, now: EventTime, why: &str, told: &mut Vec<SightChange>) {
        if std::mem::take(&mut self.frozen) {
            told.push(change("frozen", false, now, now, why.into()));
        }
    }
}

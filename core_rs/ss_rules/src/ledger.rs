//! Everything that came in and what became of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::outcome::{RuleKind, Verdict};

/// Outcomes of one rule kind at one camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleCounts {
    /// All of them: suspected + undecided + suppressed + estimated.
    pub candidates: u64,
    /// The proof was complete.
    pub suspected: u64,
    /// The proof had a hole.
    pub undecided: u64,
    /// Something lifted the rule.
    pub suppressed: u64,
    /// Measured from pictures, against nobody.
    pub estimated: u64,
    /// Of the suspected, those taken back later.
    pub retracted: u64,
}

impl RuleCounts {
    fn add(&mut self, verdict: Verdict) {
        self.candidates += u64::from(verdict != Verdict::Retracted);
        match verdict {
            Verdict::Suspected => self.suspected += 1,
            Verdict::Undecided => self.undecided += 1,
            Verdict::Suppressed => self.suppressed += 1,
            Verdict::Estimated => self.estimated += 1,
            Verdict::Retracted => self.retracted += 1,
        }
    }
}

/// Counts of one camera.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CameraCounts {
    /// Frames taken in.
    pub frames: u64,
    /// Rows taken in: `predicted + unusable + observations`.
    pub rows: u64,
    /// Rows that carry a prediction instead of an observation.
    pub predicted: u64,
    /// Rows whose box is malformed or beyond the horizon.
    pub unusable: u64,
    /// Frames that came after the frontier had passed them.
    pub late_frames: u64,
    /// Tracks begun.
    pub tracks: u64,
    /// Lines crossed.
    pub crossings: u64,
    /// Passages of an outline, or concluded ones, that may be of a vehicle whose own is among `crossings`.
    pub repeated_crossings: u64,
    /// By rule kind.
    pub rules: BTreeMap<RuleKind, RuleCounts>,
}

impl CameraCounts {
    /// One more outcome.
    pub fn outcome(&mut self, kind: RuleKind, verdict: Verdict) {
        self.rules.entry(kind).or_default().add(verdict);
    }
}

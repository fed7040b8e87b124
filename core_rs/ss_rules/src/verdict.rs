//! From a candidate to a verdict.

use crate::outcome::{Candidate, Reason, Verdict};
use crate::track::Doubt;

/// The reason a doubt about the track gives.
pub fn doubt_reason(doubt: Option<Doubt>) -> Option<Reason> {
    doubt.map(|d| match d {
        Doubt::Gap => Reason::Gap,
        Doubt::Identity => Reason::IdentityDoubt,
    })
}

/// Suspected when nothing is left open.
pub fn judge(candidate: &Candidate) -> Verdict {
    if candidate.doubts.is_empty() { Verdict::Suspected } else { Verdict::Undecided }
}

//! From a candidate to a verdict.

use crate::condition::Condition;
use crate::outcome::{Candidate, Reason, RuleKind, Verdict};
use crate::track::Doubt;

/// The reason a doubt about the track gives.
pub fn doubt_reason(doubt: Option<Doubt>) -> Option<Reason> {
    doubt.map(|d| match d {
        Doubt::Gap => Reason::Gap,
        Doubt::Identity => Reason::IdentityDoubt,
    })
}

/// What is concluded, and why.
///
/// What lifts the rule comes before what leaves it open; only what is neither
/// lifted nor open is held against anybody, and a speed from pictures never.
pub fn judge(candidate: &Candidate, lifted: Option<Condition>) -> (Verdict, Vec<Reason>) {
    if let Some(condition) = lifted {
        return (Verdict::Suppressed, vec![Reason::Condition(condition)]);
    }
    if candidate.duplicate {
        return (Verdict::Suppressed, vec![Reason::Duplicate]);
    }
    if !candidate.doubts.is_empty() {
        return (Verdict::Undecided, candidate.doubts.clone());
    }
    let is_estimate =
        candidate.kind == RuleKind::Speeding && !candidate.explanation.facts.contains_key("metered_kmh");
    (if is_estimate { Verdict::Estimated } else { Verdict::Suspected }, Vec::new())
}

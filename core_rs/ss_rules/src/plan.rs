//! What a signal group usually does, learnt from its own transitions.
//!
//! A plan is the longest and shortest time each of green, amber and red has
//! lasted, and which follows which. A fixed-time plan repeats within a tenth;
//! one that traffic actuates wanders, so more of it must have been seen before
//! anything is called unusual, and the bounds are wider.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use ss_model::SignalState;

/// Durations remembered of each state.
const KEEP: usize = 32;
/// Onsets of a state after which a steady plan is known.
const ONSETS: u32 = 3;
/// Durations of a state after which a wandering plan is known.
const WANDERING: usize = 20;
/// Amber or red that lasts longer than this is not believed before the plan is known, seconds: lights of a city come
/// round within five minutes, and one whose feed has died on red would accuse everybody until it is back.
const UNLEARNT_S: f64 = 300.0;
/// A shorter time is measured too coarsely to tell plans apart.
const COARSE_S: f64 = 3.0;

/// A state that plans are made of, as an index; `None` for the others.
pub fn step(state: SignalState) -> Option<usize> {
    match state {
        SignalState::Green => Some(0),
        SignalState::Amber => Some(1),
        SignalState::Red => Some(2),
        _ => None,
    }
}

/// The plan of one group as far as it is known.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Plan {
    /// Seconds of complete phases, newest last.
    lasted_s: [VecDeque<f64>; 3],
    /// Shortest and longest of them. Kept, as every frame asks and a phase is learnt once in a while.
    range_s: [Option<(f64, f64)>; 3],
    /// Not every state lasts as long each time.
    wanders: bool,
    onsets: [u32; 3],
    /// How often one followed the other.
    followed: [[u32; 3]; 3],
}

impl Plan {
    /// A phase begins.
    pub fn begins(&mut self, step: usize) {
        self.onsets[step] += 1;
    }

    /// `next` followed `step`, which had lasted so long; absent when its
    /// beginning was not seen.
    pub fn learn(&mut self, step: usize, next: usize, lasted_s: Option<f64>) {
        self.followed[step][next] += 1;
        let Some(lasted_s) = lasted_s else { return };
        let known = &mut self.lasted_s[step];
        known.push_back(lasted_s);
        if known.len() > KEEP {
            known.pop_front();
        }
        let shortest = known.iter().copied().reduce(f64::min);
        self.range_s[step] = shortest.zip(known.iter().copied().reduce(f64::max));
        self.wanders = !self.lasted_s.iter().all(is_steady);
    }

    /// Shortest and longest time a state has lasted.
    fn range(&self, step: usize) -> Option<(f64, f64)> {
        self.range_s[step]
    }

    /// Whether every state lasts as long each time.
    pub fn is_steady(&self) -> bool {
        !self.wanders
    }

    /// Whether enough of a state has been seen to call a time unusual.
    fn is_known(&self, step: usize) -> bool {
        let seen = self.lasted_s[step].len();
        if self.is_steady() { seen >= 2 && self.onsets[step] >= ONSETS } else { seen >= WANDERING }
    }

    /// Whether enough of every state has been seen.
    pub fn is_complete(&self) -> bool {
        (0..3).all(|s| self.onsets[s] == 0 || self.is_known(s)) && self.is_known(0) && self.is_known(2)
    }

    /// The longest that the state can last without being stuck.
    ///
    /// Of a steady plan twice as long as ever, never beyond two cycles. Before the plan is known a green may rest for as
    /// long as it likes: it accuses nobody.
    pub fn stuck_after_s(&self, step: usize) -> Option<f64> {
        let range = self.range(step);
        let wandering = || range.map_or(0.0, |(short, long)| 3.0 * long + 4.0 * (long - short));
        if !self.is_known(step) {
            return (step > 0).then(|| UNLEARNT_S.max(wandering()));
        }
        let (_, long) = range?;
        if !self.is_steady() {
            return Some(wandering());
        }
        let cycle: Option<f64> = (0..3).map(|s| self.range(s).map(|r| r.1)).sum();
        let limit = 2.0 * long + COARSE_S;
        Some(cycle.map_or(limit, |cycle| limit.min(2.0 * cycle)))
    }

    /// Whether a state that lasted so long ended far too early.
    pub fn is_too_short(&self, step: usize, lasted_s: f64) -> bool {
        let Some((short, long)) = self.range(step).filter(|_| self.is_known(step)) else { return false };
        lasted_s < short - COARSE_S.max(0.5 * short).max(4.0 * (long - short))
    }

    /// Whether `next` never followed `step`, though much else did.
    pub fn is_strange(&self, step: usize, next: usize) -> bool {
        self.followed[step].iter().sum::<u32>() >= ONSETS && self.followed[step][next] == 0
    }

    /// The longest that the state has lasted.
    pub fn longest_s(&self, step: usize) -> Option<f64> {
        self.range(step).map(|r| r.1)
    }
}

/// Whether a state lasted as long each time, within a tenth or 2 s; of four
/// and more times one may be longer and one shorter.
fn is_steady(lasted_s: &VecDeque<f64>) -> bool {
    let mut sorted: Vec<f64> = lasted_s.iter().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let usual = if sorted.len() < 4 { &sorted[..] } else { &sorted[1..sorted.len() - 1] };
    let (Some(short), Some(long)) = (usual.first(), usual.last()) else { return true };
    long - short <= f64::max(2.0, 0.1 * long)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(cycles: &[[f64; 3]]) -> Plan {
        let mut plan = Plan::default();
        for cycle in cycles {
            for (step, &lasted_s) in cycle.iter().enumerate() {
                plan.begins(step);
                plan.learn(step, (step + 1) % 3, Some(lasted_s));
            }
        }
        plan
    }

    #[test]
    fn two_cycles_are_not_enough_and_three_are() {
        assert_eq!(plan(&[[19.0, 3.0, 56.0]; 2]).stuck_after_s(2), Some(UNLEARNT_S));
        assert_eq!(plan(&[[19.0, 3.0, 56.0]; 2]).stuck_after_s(0), None, "a green may rest");
        let known = plan(&[[19.0, 3.0, 56.0]; 3]);
        assert!(known.is_steady() && known.is_complete());
        assert_eq!(known.stuck_after_s(2), Some(115.0));
        assert!(known.is_too_short(2, 20.0) && !known.is_too_short(2, 40.0));
        assert!(known.is_strange(0, 2) && !known.is_strange(0, 1));
    }

    #[test]
    fn a_limit_is_never_beyond_two_cycles() {
        assert_eq!(plan(&[[1.0, 0.5, 8.0]; 3]).stuck_after_s(2), Some(19.0));
        assert_eq!(plan(&[[0.5, 0.5, 60.0]; 3]).stuck_after_s(2), Some(122.0));
    }

    #[test]
    fn a_wandering_plan_needs_more_and_allows_more() {
        let few = plan(&[[10.0, 3.0, 40.0], [25.0, 3.0, 90.0], [8.0, 3.0, 60.0]]);
        assert!(!few.is_steady());
        assert_eq!(few.stuck_after_s(2), Some(470.0));
        let many = plan(&[[[10.0, 3.0, 40.0], [25.0, 3.0, 90.0]]; 12].concat());
        assert_eq!(many.stuck_after_s(2), Some(470.0));
        assert!(!many.is_too_short(2, 5.0));
    }
}

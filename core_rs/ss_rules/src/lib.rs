//! Junction rules: tracks and signal states in, crossings and verdicts out.
//!
//! A rule is composed of a few primitives: a line crossing with hysteresis
//! ([`crossing`]), a standstill ([`standstill`]), a stay in a place
//! ([`dwell`]), the lane under the wheels ([`place`]), a signal as of an instant
//! ([`signals`]), hours of the day ([`hours`]). [`engine`] feeds them
//! in event time, so that the same input gives the same verdicts however it is
//! cut, and whenever it is stopped and resumed.

mod arrow;
mod camera;
mod condition;
mod config;
mod conflict;
mod context;
mod crossing;
mod dwell;
mod engine;
mod fault;
mod footprint;
mod hours;
mod ledger;
mod light;
mod movement;
mod outcome;
mod outline;
mod passed;
mod place;
mod plan;
mod repeat;
mod report;
mod rule;
mod signals;
mod speed;
mod standstill;
mod stopping;
mod suppression;
mod track;
mod traffic;
mod turn;
mod unseen;
mod verdict;
mod way;
mod within;
mod wrong_way;

pub use camera::Reading;
pub use condition::Condition;
pub use engine::JunctionEngine;
pub use signals::Phase;

//! Junction rules: tracks and signal states in, crossings and verdicts out.
//!
//! A rule is composed of a few primitives: a line crossing with hysteresis
//! ([`crossing`]), a standstill ([`standstill`]), a stay in a place
//! ([`dwell`]), the lane under the wheels ([`place`]), a signal as of an instant
//! ([`signals`]), hours of the day ([`hours`]). [`engine`] feeds them
//! in event time, so that the same input gives the same verdicts however it is
//! cut, and whenever it is stopped and resumed.

pub mod arrow;
pub mod camera;
pub mod condition;
pub mod config;
pub mod conflict;
pub mod context;
pub mod crossing;
pub mod dwell;
pub mod engine;
pub mod fault;
pub mod footprint;
pub mod hours;
pub mod ledger;
pub mod light;
pub mod movement;
pub mod outcome;
pub mod outline;
pub mod passed;
pub mod place;
pub mod plan;
pub mod repeat;
pub mod report;
pub mod rule;
pub mod signals;
pub mod speed;
pub mod standstill;
pub mod stopping;
pub mod suppression;
pub mod track;
pub mod traffic;
pub mod turn;
pub mod unseen;
pub mod verdict;
pub mod way;
pub mod within;
pub mod wrong_way;

pub use engine::JunctionEngine;

//! Junction rules: tracks and signal states in, crossings and verdicts out.
//!
//! A rule is composed of a few primitives: a line crossing with hysteresis
//! ([`crossing`]), a standstill ([`standstill`]), the lane under the wheels
//! ([`place`]), a signal as of an instant ([`signals`]). [`engine`] feeds them
//! in event time, so that the same input gives the same verdicts however it is
//! cut, and whenever it is stopped and resumed.

pub mod camera;
pub mod config;
pub mod crossing;
pub mod engine;
pub mod ledger;
pub mod light;
pub mod outcome;
pub mod place;
pub mod report;
pub mod signals;
pub mod standstill;
pub mod track;
pub mod verdict;
pub mod wrong_way;

pub use engine::JunctionEngine;

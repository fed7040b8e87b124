//! Vision: luma planes to detections ([`motion`]), pictures for models ([`picture`]) and what they say
//! ([`detections`]), detections to tracks ([`tracker`]), lamps of signal heads ([`lamps`]).

pub mod detections;
pub mod lamps;
pub mod motion;
pub mod picture;
pub mod tracker;

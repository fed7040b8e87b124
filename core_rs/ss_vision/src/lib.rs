//! Vision: luma planes to detections ([`motion`]), pictures for models ([`picture`]) and what they say
//! ([`detections`]), detections to tracks ([`tracker`]), lamps of signal heads ([`lamps`]),
//! whether the camera sees its street at all ([`sight`]).

pub mod detections;
pub mod lamps;
pub mod motion;
pub mod picture;
pub mod sight;
pub mod tracker;

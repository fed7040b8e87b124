//! Vision: luma planes to detections ([`motion`]), detections to tracks ([`tracker`]).

pub mod motion;
pub mod tracker;

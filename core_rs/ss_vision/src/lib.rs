//! Vision: luma planes to detections ([`motion`]), pictures for models ([`picture`]) and what they say
//! ([`detections`]), detections to tracks ([`tracker`]).

pub mod detections;
pub mod motion;
pub mod picture;
pub mod tracker;

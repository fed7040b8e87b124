//! One camera, from files or live, to tracks: decode → detect → track on one thread.
//!
//! [`Chain`] is the sequence itself, a function of its input alone;
//! [`CameraRun`] runs it on a named thread with a bounded queue behind it;
//! [`state`] keeps the vision state between stops, so that a resumed run
//! goes on as if it had never stopped.

mod chain;
mod config;
mod counts;
mod hub;
mod look;
mod permits;
mod resume;
mod run;
mod source;
mod state;
mod vision;

pub use chain::{Chain, Item, Step};
pub use config::{Calibration, CameraConfig, lamp_size_px};
pub use counts::Counts;
pub use hub::{Detect, Hub, Question};
pub use look::LookConfig;
pub use resume::{Resumption, Token};
pub use run::{CameraRun, Note, Polled};

//! Video in: files and live cameras to luma frames with event times.
//!
//! Packets flow `av::Demuxer` → `av::Decoder` ([`reader`]) → [`Timeline`] →
//! [`VideoRun`] where they come from files, and through [`live`] where they come
//! from a camera. Whatever is not given out is a [`Loss`] with a reason,
//! never silence.

mod av;
mod colour;
pub mod live;
mod loss;
mod next;
mod planes;
mod position;
mod probe;
mod reader;
mod ring;
mod timeline;
mod video;

pub use av::{Wants, use_nvdec};
pub use loss::{Loss, LossReason};
pub use next::{Next, RunBreak};
pub use position::{Resumed, Stretch, VideoPosition};
pub use probe::{Probe, Scan, Still, probe, scan, still};
pub use ring::{Clip, Picture, Ring};
pub use timeline::{Placed, TimeMap, Timeline};
pub use video::VideoRun;

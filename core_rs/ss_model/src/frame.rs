//! One picture and what was detected in it.

use serde::{Deserialize, Serialize};

use crate::{EventTime, VehicleClass};

/// A box `x1 y1 x2 y2`; normalised unless a name says `_px`. It may reach
/// beyond the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BoxF {
    /// Left edge.
    pub x1: f32,
    /// Top edge.
    pub y1: f32,
    /// Right edge.
    pub x2: f32,
    /// Bottom edge.
    pub y2: f32,
}

impl BoxF {
    /// Width; negative for a malformed box.
    pub fn width(&self) -> f32 {
        self.x2 - self.x1
    }

    /// Height; negative for a malformed box.
    pub fn height(&self) -> f32 {
        self.y2 - self.y1
    }

    /// Finite and of positive size.
    pub fn is_valid(&self) -> bool {
        [self.x1, self.y1, self.x2, self.y2].iter().all(|v| v.is_finite())
            && self.x2 > self.x1
            && self.y2 > self.y1
    }
}

/// The luma plane of one decoded frame.
///
/// `data` holds `height` rows of `stride` bytes, `width` of them picture.
#[derive(Clone, Copy, Debug)]
pub struct LumaFrame<'a> {
    /// Rows of `stride` bytes.
    pub data: &'a [u8],
    /// Bytes from one row to the next; at least `width`.
    pub stride: usize,
    /// Picture width in pixels.
    pub width: usize,
    /// Picture height in pixels.
    pub height: usize,
    /// When the picture was taken.
    pub time: EventTime,
    /// Count of frames decoded before it in this run, from 0.
    pub number: u64,
}

/// One detected road user in one frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Normalised box.
    pub bbox: BoxF,
    /// Confidence, 0–1.
    pub score: f32,
    /// Class as far as one frame tells.
    pub class: VehicleClass,
    /// Bits of [`Track::DOUBTFUL`](crate::Track::DOUBTFUL) and
    /// [`Track::CLASS_BY_SIZE`](crate::Track::CLASS_BY_SIZE); 0 from a detector
    /// that sees each road user by itself.
    pub flags: u8,
}

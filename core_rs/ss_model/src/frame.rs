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

    /// Share of `other` that lies within it, 0–1.
    pub fn cover(&self, other: &Self) -> f32 {
        let w = (self.x2.min(other.x2) - self.x1.max(other.x1)).max(0.0);
        let h = (self.y2.min(other.y2) - self.y1.max(other.y1)).max(0.0);
        w * h / (other.width() * other.height())
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
    /// The same picture smaller, where the decoder has made it already.
    pub reduced: Option<Reduced<'a>>,
}

/// A luma plane as a [`crate::Reducer`] makes it, without padding.
#[derive(Clone, Copy, Debug)]
pub struct Reduced<'a> {
    /// `width` by `height` means of boxes.
    pub data: &'a [u8],
    /// Source pixels per mean, along x and y.
    pub factor: usize,
}

/// The chroma of a decoded frame, beside its luma: 8-bit Cb and Cr samples.
#[derive(Clone, Copy, Debug)]
pub struct Chroma<'a> {
    /// Cb from the first sample on, then Cr.
    pub planes: [&'a [u8]; 2],
    /// Bytes from one row to the next.
    pub stride: usize,
    /// Bytes from one sample to the next of its row: 1 planar, 2 interleaved.
    pub step: usize,
    /// Samples in a row, and rows.
    pub size: (usize, usize),
    /// How the samples are to be turned into colours.
    pub space: ColourSpace,
}

/// How luma and chroma make colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColourSpace {
    /// 0–255 is used in full, as JPEG does; else luma is 16–235.
    pub full_range: bool,
    /// Of high definition (BT.709); else BT.601.
    pub bt709: bool,
}

/// How a colour space is turned into red, green and blue: factors in 65536ths.
///
/// Source: ITU-R BT.601-7 and BT.709-6, their matrices inverted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColourMatrix {
    /// Luma of black.
    pub black: i32,
    /// Of luma above black, for all three.
    pub gain: i32,
    /// Of Cr, for red.
    pub red: i32,
    /// Of Cb and Cr, to be taken off green.
    pub green: (i32, i32),
    /// Of Cb, for blue.
    pub blue: i32,
}

impl ColourSpace {
    /// Its matrix.
    pub fn matrix(self) -> ColourMatrix {
        let (black, gain) = if self.full_range { (0, 65_536) } else { (16, 76_309) };
        let (red, green, blue) = match (self.bt709, self.full_range) {
            (false, true) => (91_881, (22_554, 46_802), 116_130),
            (false, false) => (104_597, (25_675, 53_279), 132_201),
            (true, true) => (103_206, (12_276, 30_679), 121_609),
            (true, false) => (117_489, (13_975, 34_925), 138_438),
        };
        ColourMatrix { black, gain, red, green, blue }
    }
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

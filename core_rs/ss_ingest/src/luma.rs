//! The luma plane of a decoded frame as 8-bit samples.
//!
//! Planar 8-bit formats (all that cameras send) are lent without a copy;
//! packed and deeper ones are converted row by row. Full-range and
//! studio-range samples are both passed as they are: the motion model looks
//! at differences.

use ss_model::{Error, Result};

use crate::av::{Frame, PixelLayout};

/// Converts when it must; keeps its buffer between frames.
#[derive(Default)]
pub struct Luma {
    converted: Vec<u8>,
}

impl Luma {
    /// Bytes and stride of the luma plane of `frame`.
    ///
    /// # Errors
    /// `InvalidInput` for a pixel format without a luma plane, `DataLoss` for
    /// a frame whose plane is shorter than its size.
    pub fn of<'a>(&'a mut self, frame: &'a Frame) -> Result<(&'a [u8], usize)> {
        let layout = frame.layout()?;
        let (width, height) = frame.size();
        let short =
            || Error::data_loss(format!("{width}x{height} picture without its {} plane", layout.name));
        let (data, stride) = frame.plane().ok_or_else(short)?;
        let row = layout.offset + width * layout.step;
        if width == 0 || height == 0 || stride < row || data.len() < stride * (height - 1) + row {
            return Err(short());
        }
        if layout.step == 1 && layout.shift == 0 {
            return Ok((&data[layout.offset..], stride));
        }
        self.converted.clear();
        self.converted.reserve(width * height);
        for line in data.chunks(stride).take(height) {
            convert(&line[layout.offset..row], layout, &mut self.converted);
        }
        Ok((&self.converted, width))
    }
}

fn convert(line: &[u8], layout: PixelLayout, out: &mut Vec<u8>) {
    let wide = |s: &[u8]| {
        let pair = [s[0], s.get(1).copied().unwrap_or(0)];
        if layout.big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
    };
    if layout.shift == 0 {
        out.extend(line.chunks(layout.step).map(|s| s[0]));
    } else {
        out.extend(line.chunks(layout.step).map(|s| (wide(s) >> layout.shift) as u8));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(step: usize, shift: u32, big_endian: bool) -> PixelLayout {
        PixelLayout { name: "test", step, offset: 0, shift, big_endian }
    }

    #[test]
    fn ten_bits_lose_their_two_lowest() {
        let mut out = Vec::new();
        convert(&[0xff, 0x03, 0x00, 0x02, 0x03, 0x00], layout(2, 2, false), &mut out);
        assert_eq!(out, [255, 128, 0]);
    }

    #[test]
    fn big_endian_and_packed_samples() {
        let mut out = Vec::new();
        convert(&[0x12, 0x34, 0xab, 0xcd], layout(2, 8, true), &mut out);
        assert_eq!(out, [0x12, 0xab]);
        out.clear();
        convert(&[10, 128, 20, 128], layout(2, 0, false), &mut out);
        assert_eq!(out, [10, 20]);
    }
}

//! Luma and chroma of a decoded frame as 8-bit samples.
//!
//! 8-bit formats (all that cameras send) are lent without a copy; deeper
//! ones, and packed luma, are converted row by row. Full-range and
//! studio-range samples are both passed as they are: the motion model looks
//! at differences, and chroma says which of them it is.

use ss_model::{Chroma, ColourSpace, Error, Result};

use crate::av::{Component, Frame, PixelLayout};

/// Converts when it must; keeps its buffers between frames.
pub struct Planes {
    /// Somebody looks at the chroma.
    pub in_colour: bool,
    luma: Vec<u8>,
    chroma: [Vec<u8>; 2],
}

/// Bytes and stride of a luma plane, and the chroma where there is any.
pub type Colours<'a> = ((&'a [u8], usize), Option<Chroma<'a>>);

impl Planes {
    /// Having converted nothing.
    pub fn new(in_colour: bool) -> Self {
        Self { in_colour, luma: Vec::new(), chroma: [Vec::new(), Vec::new()] }
    }

    /// Bytes and stride of the luma plane of `frame`.
    ///
    /// # Errors
    /// `InvalidInput` for a pixel format without a luma plane, `DataLoss` for
    /// a frame whose plane is shorter than its size.
    pub fn luma<'a>(&'a mut self, frame: &'a Frame) -> Result<(&'a [u8], usize)> {
        luma(&mut self.luma, frame)
    }

    /// The luma plane of `frame`, with its chroma where that is wanted.
    ///
    /// # Errors
    /// As [`Planes::luma`]; missing chroma is none.
    pub fn colours<'a>(&'a mut self, frame: &'a Frame) -> Result<Colours<'a>> {
        let Self { in_colour, luma: luma_buffer, chroma: chroma_buffers } = self;
        let luma = luma(luma_buffer, frame)?;
        Ok((luma, if *in_colour { chroma(chroma_buffers, frame) } else { None }))
    }
}

fn luma<'a>(converted: &'a mut Vec<u8>, frame: &'a Frame) -> Result<(&'a [u8], usize)> {
    let layout = frame.layout()?;
    let (width, height) = frame.size();
    let short = || Error::data_loss(format!("{width}x{height} picture without its {} plane", layout.name));
    let (data, stride) = frame.plane().ok_or_else(short)?;
    let row = layout.offset + width * layout.step;
    if width == 0 || height == 0 || stride < row || data.len() < stride * (height - 1) + row {
        return Err(short());
    }
    if layout.step == 1 && layout.shift == 0 {
        return Ok((&data[layout.offset..], stride));
    }
    converted.clear();
    converted.reserve(width * height);
    for line in data.chunks(stride).take(height) {
        convert(&line[layout.offset..row], layout, converted);
    }
    Ok((converted, width))
}

fn chroma<'a>(converted: &'a mut [Vec<u8>; 2], frame: &'a Frame) -> Option<Chroma<'a>> {
    let layout = frame.colours().ok()?;
    let (width, height) = frame.size();
    let size = (width.div_ceil(1 << layout.chroma_shift.0), height.div_ceil(1 << layout.chroma_shift.1));
    let space = ColourSpace { full_range: layout.full_range, bt709: layout.bt709 };
    let [cb, cr] = layout.chroma?;
    let lent = [whole(frame, cb, size)?, whole(frame, cr, size)?];
    if (cb.shift, cr.shift) == (0, 0) && cb.step == cr.step && lent[0].1 == lent[1].1 {
        return Some(Chroma { planes: lent.map(|l| l.0), stride: lent[0].1, step: cb.step, size, space });
    }
    let name = "";
    for ((out, (data, stride)), Component { step, offset, shift, .. }) in
        converted.iter_mut().zip(lent).zip([cb, cr])
    {
        let layout = PixelLayout { name, step, offset, shift, big_endian: layout.big_endian };
        out.clear();
        out.reserve(size.0 * size.1);
        for line in data.chunks(stride).take(size.1) {
            convert(&line[..line.len().min(size.0 * step)], layout, out);
        }
    }
    let [cb, cr] = converted;
    Some(Chroma { planes: [cb, cr], stride: size.0, step: 1, size, space })
}

/// The plane of a component from its first sample on, when it holds `size` samples.
fn whole(frame: &Frame, of: Component, (width, height): (usize, usize)) -> Option<(&[u8], usize)> {
    let (data, stride) = frame.plane_of(of.plane, height)?;
    // The last sample of a row may end before its step does.
    let row = of.offset + width.checked_sub(1)? * of.step + 1;
    let least = stride * height.checked_sub(1)? + row;
    (stride >= row && data.len() >= least).then(|| (&data[of.offset..], stride))
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

//! A decoded picture as RGB, for people's eyes: stills of evidence, drawings.
//!
//! YUV to RGB by the matrices of BT.601 and BT.709 in 16.16 fixed point, both
//! ranges, chroma repeated and not filtered. Detection never needs it.

use ss_model::{ColourMatrix, ColourSpace, Error, Result};

use crate::av::{Component, Frame};

/// The samples of one component.
struct Plane<'a> {
    data: &'a [u8],
    stride: usize,
    component: Component,
    big_endian: bool,
}

impl Plane<'_> {
    fn at(&self, x: usize, y: usize) -> i32 {
        let at = y * self.stride + self.component.offset + x * self.component.step;
        let byte = |i: usize| i32::from(self.data.get(i).copied().unwrap_or(128));
        if self.component.shift == 0 {
            return byte(at);
        }
        let (high, low) = if self.big_endian { (byte(at), byte(at + 1)) } else { (byte(at + 1), byte(at)) };
        ((high << 8) | low) >> self.component.shift
    }
}

/// Width, height and `3 * width * height` bytes of RGB.
///
/// # Errors
/// `InvalidInput` for a pixel format without a luma plane, `DataLoss` for a
/// frame without its planes.
pub fn rgb(frame: &Frame) -> Result<(usize, usize, Vec<u8>)> {
    let layout = frame.colours()?;
    let (width, height) = frame.size();
    let rows_of_chroma = height.div_ceil(1 << layout.chroma_shift.1);
    let plane = |component: Component, rows: usize| {
        let (data, stride) = frame.plane_of(component.plane, rows).ok_or_else(|| {
            Error::data_loss(format!("{width}x{height} picture without plane {}", component.plane))
        })?;
        Ok(Plane { data, stride, component, big_endian: layout.big_endian })
    };
    let luma = plane(layout.luma, height)?;
    let chroma = match layout.chroma {
        Some([cb, cr]) => Some((plane(cb, rows_of_chroma)?, plane(cr, rows_of_chroma)?)),
        None => None,
    };
    let space = ColourSpace { full_range: layout.full_range, bt709: layout.bt709 };
    let ColourMatrix { black, gain, red, green, blue } = space.matrix();
    let mut out = Vec::with_capacity(3 * width * height);
    for y in 0..height {
        for x in 0..width {
            let l = (luma.at(x, y) - black) * gain + 32_768;
            let (cb, cr) = chroma.as_ref().map_or((0, 0), |(cb, cr)| {
                let (x, y) = (x >> layout.chroma_shift.0, y >> layout.chroma_shift.1);
                (cb.at(x, y) - 128, cr.at(x, y) - 128)
            });
            let byte = |v: i32| (v >> 16).clamp(0, 255) as u8;
            out.extend_from_slice(&[
                byte(l + red * cr),
                byte(l - green.0 * cb - green.1 * cr),
                byte(l + blue * cb),
            ]);
        }
    }
    Ok((width, height, out))
}

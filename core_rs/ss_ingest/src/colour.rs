//! A decoded picture as RGB, for people's eyes: stills of evidence, drawings.
//!
//! YUV to RGB by the matrices of BT.601 and BT.709 in 16.16 fixed point, both
//! ranges, chroma repeated and not filtered. Detection never needs it.

use ss_model::{Error, Result};

use crate::av::{ColourLayout, Component, Frame};

/// Coefficients in 16.16: luma scale, Cr to red, Cb and Cr to green, Cb to blue.
fn coefficients(layout: &ColourLayout) -> [i32; 5] {
    match (layout.bt709, layout.full_range) {
        (false, true) => [65_536, 91_881, 22_554, 46_802, 116_130],
        (false, false) => [76_309, 104_597, 25_675, 53_279, 132_201],
        (true, true) => [65_536, 103_206, 12_276, 30_679, 121_609],
        (true, false) => [76_309, 117_489, 13_975, 34_925, 138_438],
    }
}

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
    let black = if layout.full_range { 0 } else { 16 };
    let [scale, red, green_b, green_r, blue] = coefficients(&layout);
    let mut out = Vec::with_capacity(3 * width * height);
    for y in 0..height {
        for x in 0..width {
            let l = (luma.at(x, y) - black) * scale + 32_768;
            let (cb, cr) = chroma.as_ref().map_or((0, 0), |(cb, cr)| {
                let (x, y) = (x >> layout.chroma_shift.0, y >> layout.chroma_shift.1);
                (cb.at(x, y) - 128, cr.at(x, y) - 128)
            });
            let byte = |v: i32| (v >> 16).clamp(0, 255) as u8;
            out.extend_from_slice(&[
                byte(l + red * cr),
                byte(l - green_b * cb - green_r * cr),
                byte(l + blue * cb),
            ]);
        }
    }
    Ok((width, height, out))
}

//! How the samples of a picture lie in memory, as libav describes its format.

use std::ffi::c_int;

use ss_model::{Error, Result};

use super::{ffi, static_str};

/// How the luma samples of a picture lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelLayout {
    /// libav's name of the pixel format.
    pub name: &'static str,
    /// Bytes from one luma sample to the next.
    pub step: usize,
    /// Bytes before the first sample of a row.
    pub offset: usize,
    /// Bits to shift a sample right to get 8.
    pub shift: u32,
    /// Two-byte samples are big-endian.
    pub big_endian: bool,
}

impl PixelLayout {
    /// The layout of libav's format number; an error names a format without
    /// a luma plane.
    pub(super) fn of(format: c_int) -> Result<Self> {
        // SAFETY: the descriptor is null or static.
        let descriptor = unsafe { ffi::av_pix_fmt_desc_get(ffi::AVPixelFormat(format)).as_ref() };
        let Some(d) = descriptor else {
            return Err(Error::invalid(format!("pixel format number {format} is unknown")));
        };
        // SAFETY: a static string of libav.
        let name = unsafe { static_str(d.name) };
        let luma = d.comp[0];
        let odd = ffi::AV_PIX_FMT_FLAG_RGB
            | ffi::AV_PIX_FMT_FLAG_PAL
            | ffi::AV_PIX_FMT_FLAG_BITSTREAM
            | ffi::AV_PIX_FMT_FLAG_HWACCEL
            | ffi::AV_PIX_FMT_FLAG_BAYER
            | ffi::AV_PIX_FMT_FLAG_FLOAT;
        if d.flags & odd as u64 != 0 || luma.plane != 0 || !(8..=16).contains(&luma.depth) {
            return Err(Error::invalid(format!(
                "pixel format {name} has no luma plane of 8 to 16 bits (expected YUV or gray)"
            )));
        }
        Ok(Self {
            name,
            step: luma.step as usize,
            offset: luma.offset as usize,
            shift: (luma.shift + luma.depth - 8) as u32,
            big_endian: d.flags & ffi::AV_PIX_FMT_FLAG_BE as u64 != 0,
        })
    }
}

/// How the samples of one component of a picture lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component {
    /// Plane that holds it.
    pub plane: usize,
    /// Bytes from one sample to the next.
    pub step: usize,
    /// Bytes before the first sample of a row.
    pub offset: usize,
    /// Bits to shift a sample right to get 8.
    pub shift: u32,
}

/// How a picture holds its colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColourLayout {
    /// Luma and the two chroma components; the latter `None` for a gray picture.
    pub luma: Component,
    /// Cb and Cr.
    pub chroma: Option<[Component; 2]>,
    /// Chroma samples are halved so many times across and down.
    pub chroma_shift: (u32, u32),
    /// Two-byte samples are big-endian.
    pub big_endian: bool,
    /// Samples use all values (0–255), not those of studio video (16–235).
    pub full_range: bool,
    /// The matrix of BT.709, not that of BT.601.
    pub bt709: bool,
}

impl ColourLayout {
    pub(super) fn of(frame: &ffi::AVFrame) -> Result<Self> {
        let luma = PixelLayout::of(frame.format)?;
        // SAFETY: the descriptor is null or static.
        let descriptor = unsafe { ffi::av_pix_fmt_desc_get(ffi::AVPixelFormat(frame.format)).as_ref() };
        let Some(d) = descriptor else {
            return Err(Error::invalid(format!("pixel format number {} is unknown", frame.format)));
        };
        let component = |i: usize| {
            let c = d.comp[i];
            Component {
                plane: c.plane.max(0) as usize,
                step: c.step.max(1) as usize,
                offset: c.offset.max(0) as usize,
                shift: (c.shift + c.depth - 8).max(0) as u32,
            }
        };
        let full_range = frame.color_range == ffi::AVColorRange::JPEG || luma.name.starts_with("yuvj");
        let bt709 = match frame.colorspace {
            ffi::AVColorSpace::BT709 => true,
            // Not stated: as players guess, by the size of the picture.
            ffi::AVColorSpace::UNSPECIFIED => !full_range && frame.height >= 720,
            _ => false,
        };
        Ok(Self {
            luma: component(0),
            chroma: (d.nb_components >= 3).then(|| [component(1), component(2)]),
            chroma_shift: (d.log2_chroma_w.into(), d.log2_chroma_h.into()),
            big_endian: luma.big_endian,
            full_range,
            bt709,
        })
    }
}

//! Codecs: packets in, pictures out, one thread.

use std::ffi::c_int;
use std::ptr;

use ss_model::{Error, Reduced, Result};

use super::bands::Bands;
use super::layout::{ColourLayout, PixelLayout};
use super::{Demuxer, Packet, StreamFormat, ffi, message, nvdec, static_str, timestamp};

/// Codecs of cameras and recorders; everything else libav can read (text as
/// ANSI art, still pictures) is not a camera's video.
const CODECS: [ffi::AVCodecID; 7] = [
    ffi::AVCodecID::H264,
    ffi::AVCodecID::HEVC,
    ffi::AVCodecID::MJPEG,
    ffi::AVCodecID::MPEG4,
    ffi::AVCodecID::MSMPEG4V1,
    ffi::AVCodecID::MSMPEG4V2,
    ffi::AVCodecID::MSMPEG4V3,
];

/// Largest picture accepted, in pixels: twice 8K. A damaged header may ask for gigabytes.
const MAX_PIXELS: i64 = 2 * 7680 * 4320;

/// Outcome of asking for the next picture.
pub enum Received {
    /// The frame holds it.
    Frame,
    /// Another packet is needed first.
    NeedsPacket,
    /// All packets are used up.
    End,
    /// Decoding failed; the text says why.
    Failed(String),
}

/// What of its pictures a decoder is asked for, beside luma.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Chroma; without it only luma is decoded where libavcodec was built for that, which is cheaper.
    pub colour: bool,
    /// Pictures reduced to at least so many columns, where the codec tells of its rows.
    pub columns: Option<usize>,
}

/// A decoder for one stream.
pub struct Decoder {
    context: *mut ffi::AVCodecContext,
    /// Owned; the context points to it. Null where nothing is reduced.
    bands: *mut Bands,
    /// The latest picture reduced, and by how much.
    reduced: (Vec<u8>, Option<usize>),
}

// SAFETY: an owned context and what only it points to, used through `&mut self` only.
unsafe impl Send for Decoder {}

impl Decoder {
    /// A decoder for the video of `demuxer`: one thread.
    ///
    /// # Errors
    /// `InvalidInput` for a codec outside the list above; `Internal` when
    /// libavcodec cannot open one inside it.
    pub fn open(demuxer: &Demuxer, wants: Wants) -> Result<Self> {
        // SAFETY: the parameters are valid while the demuxer lives.
        unsafe { Self::new(demuxer.parameters(), demuxer.raw_time_base(), wants) }
    }

    /// A decoder for packets of `format` with times in nanoseconds.
    ///
    /// # Errors
    /// As [`Decoder::open`].
    pub fn of(format: &StreamFormat, wants: Wants) -> Result<Self> {
        let time_base = ffi::AVRational { num: 1, den: 1_000_000_000 };
        // SAFETY: the parameters are valid while the format lives.
        unsafe { Self::new(format.as_ptr(), time_base, wants) }
    }

    /// # Safety
    /// `parameters` is valid for the call.
    unsafe fn new(
        parameters: *const ffi::AVCodecParameters,
        time_base: ffi::AVRational,
        wants: Wants,
    ) -> Result<Self> {
        // SAFETY: promised by the caller.
        let id = unsafe { (*parameters).codec_id };
        if !CODECS.contains(&id) {
            // SAFETY: a static string of libav.
            let name = unsafe { static_str(ffi::avcodec_get_name(id)) };
            return Err(Error::invalid(format!(
                "codec {name} is not one of a camera's (H.264, H.265, MJPEG, MPEG-4, MS-MPEG-4)"
            )));
        }
        // SAFETY: null results are checked before use; the context is owned from here on.
        unsafe {
            let codec = ffi::avcodec_find_decoder(id);
            let context = if codec.is_null() { ptr::null_mut() } else { ffi::avcodec_alloc_context3(codec) };
            if context.is_null() {
                return Err(Error::internal(format!(
                    "this libavcodec has no decoder for {}",
                    static_str(ffi::avcodec_get_name(id))
                )));
            }
            let mut decoder = Self { context, bands: ptr::null_mut(), reduced: (Vec::new(), None) };
            let code = ffi::avcodec_parameters_to_context(context, parameters);
            if code < 0 {
                return Err(Error::invalid(format!("codec parameters: {}", message(code))));
            }
            (*context).pkt_timebase = time_base;
            (*context).thread_count = 1;
            (*context).max_pixels = MAX_PIXELS;
            // Damaged pictures come out marked, so that they are counted instead of missing.
            (*context).flags |= ffi::AV_CODEC_FLAG_OUTPUT_CORRUPT as c_int;
            if !wants.colour && decodes_luma_only() {
                (*context).flags |= ffi::AV_CODEC_FLAG_GRAY as c_int;
            }
            // Of its other codecs libav tells rows before they are final, or none.
            if let Some(columns) = wants.columns.filter(|_| id == ffi::AVCodecID::H264) {
                decoder.bands = Box::into_raw(Box::new(Bands::new(columns)));
                Bands::listen(decoder.bands, context);
            }
            nvdec::lend(context);
            let code = ffi::avcodec_open2(context, codec, ptr::null_mut());
            if code < 0 {
                return Err(Error::internal(format!("decoder does not open: {}", message(code))));
            }
            Ok(decoder)
        }
    }

    /// Hand in the next packet; `Err` says why it cannot be used.
    pub fn send(&mut self, packet: &Packet) -> std::result::Result<(), String> {
        // SAFETY: both valid.
        match unsafe { ffi::avcodec_send_packet(self.context, packet.as_ptr()) } {
            0.. => Ok(()),
            code => Err(message(code)),
        }
    }

    /// No packet follows: let the delayed pictures out.
    pub fn drain(&mut self) {
        // SAFETY: a null packet starts draining.
        unsafe { ffi::avcodec_send_packet(self.context, ptr::null()) };
    }

    /// Take the next picture.
    pub fn receive(&mut self, frame: &mut Frame) -> Received {
        // SAFETY: both valid; the callee releases what the frame held.
        match unsafe { ffi::avcodec_receive_frame(self.context, frame.0) } {
            0.. => {
                // SAFETY: null or owned; libav calls back only while it is sent packets.
                let bands = unsafe { self.bands.as_mut() };
                self.reduced.1 = bands.and_then(|bands| bands.take(frame.raw(), &mut self.reduced.0));
                match nvdec::fetch(frame) {
                    Ok(()) => Received::Frame,
                    Err(why) => Received::Failed(why),
                }
            }
            ffi::AVERROR_EOF => Received::End,
            code if code == ffi::AVERROR(libc::EAGAIN) => Received::NeedsPacket,
            code => Received::Failed(message(code)),
        }
    }

    /// The picture received last, reduced, where it was asked for and its rows were told.
    pub fn reduced(&self) -> Option<Reduced<'_>> {
        let (data, factor) = &self.reduced;
        factor.map(|factor| Reduced { data, factor })
    }

    /// Frames per second that the bitstream itself states.
    pub fn frame_rate(&self) -> Option<(i64, i64)> {
        // SAFETY: valid context.
        let rate = unsafe { (*self.context).framerate };
        (rate.num > 0 && rate.den > 0).then(|| (rate.num.into(), rate.den.into()))
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: allocated by avcodec_alloc_context3, freed once; nobody points to the bands then.
        unsafe {
            ffi::avcodec_free_context(&raw mut self.context);
            if !self.bands.is_null() {
                drop(Box::from_raw(self.bands));
            }
        }
    }
}

/// libavcodec was built with `--enable-gray`: chroma need not be decoded, and
/// luma stays bit-exact.
fn decodes_luma_only() -> bool {
    // SAFETY: a static string of libav.
    unsafe { static_str(ffi::avcodec_configuration()) }.contains("--enable-gray")
}

/// One decoded picture.
pub struct Frame(pub(super) *mut ffi::AVFrame);

// SAFETY: an owned, reference-counted allocation without thread affinity.
unsafe impl Send for Frame {}

impl Frame {
    pub fn new() -> Result<Self> {
        // SAFETY: plain allocation; null is checked.
        let frame = unsafe { ffi::av_frame_alloc() };
        if frame.is_null() { Err(Error::internal("out of memory for a frame")) } else { Ok(Self(frame)) }
    }

    pub(super) fn raw(&self) -> &ffi::AVFrame {
        // SAFETY: non-null by construction.
        unsafe { &*self.0 }
    }

    /// Picture width and height in pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.raw().width.max(0) as usize, self.raw().height.max(0) as usize)
    }

    /// Presentation time in ticks; derived from decoding times where a
    /// container has no other.
    pub fn pts(&self) -> Option<i64> {
        timestamp(self.raw().pts).or_else(|| timestamp(self.raw().best_effort_timestamp))
    }

    /// Marked by the decoder as damaged or concealed.
    pub fn is_corrupt(&self) -> bool {
        self.raw().flags & ffi::AV_FRAME_FLAG_CORRUPT != 0 || self.raw().decode_error_flags != 0
    }

    /// Decodes without reference to any other.
    pub fn is_key(&self) -> bool {
        #[cfg(frame_flag_key)]
        return self.raw().flags & ffi::AV_FRAME_FLAG_KEY != 0;
        #[cfg(not(frame_flag_key))]
        return self.raw().key_frame != 0;
    }

    /// How the luma samples lie in `plane`.
    pub fn layout(&self) -> Result<PixelLayout> {
        PixelLayout::of(self.raw().format)
    }

    /// How the samples of every component lie, for colour.
    pub fn colours(&self) -> Result<ColourLayout> {
        ColourLayout::of(self.raw())
    }

    /// The first plane: its bytes from the first row on, and the bytes from
    /// one row to the next. `None` for a frame without a plain plane.
    pub fn plane(&self) -> Option<(&[u8], usize)> {
        self.plane_of(0, self.size().1)
    }

    /// As [`Frame::plane`], of plane `index` with `rows` rows.
    pub fn plane_of(&self, index: usize, rows: usize) -> Option<(&[u8], usize)> {
        let stride = usize::try_from(*self.raw().linesize.get(index)?).ok()?;
        let data = self.raw().data[index];
        // SAFETY: the frame is valid; the callee only looks the buffer up.
        let buffer = unsafe { ffi::av_frame_get_plane_buffer(self.0, index as c_int).as_ref()? };
        let before = (data as usize).checked_sub(buffer.data as usize)?;
        let available = buffer.size.checked_sub(before)?;
        let length = available.min(stride.checked_mul(rows)?);
        // SAFETY: `length` bytes from `data` on lie inside the plane's own buffer, which lives and is
        // not written to while this frame is borrowed (the next `receive` takes it mutably).
        Some((unsafe { std::slice::from_raw_parts(data, length) }, stride))
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        // SAFETY: allocated by av_frame_alloc, freed once.
        unsafe { ffi::av_frame_free(&raw mut self.0) }
    }
}

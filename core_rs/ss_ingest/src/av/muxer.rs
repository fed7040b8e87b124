//! Packets into a container, as they are.

use std::ffi::{CStr, c_int};
use std::ptr;

use ss_model::{Error, Result};

use super::{Packet, StreamFormat, ffi, message};

/// Ticks per second of a clip: finer than any camera's clock.
const TICKS: i64 = 90_000;
const NS: i64 = 1_000_000_000;
/// Shortest time that a picture stands.
const SHORTEST_NS: i64 = 4_000_000;
/// Most bytes that the index of an MP4 needs for one packet, and for itself.
const INDEX_PER_PACKET: usize = 48;
const INDEX: usize = 16_384;

/// An output that is freed whatever happens.
struct Output {
    context: *mut ffi::AVFormatContext,
}

impl Output {
    fn new(container: &CStr) -> Result<Self> {
        let mut context = ptr::null_mut();
        // SAFETY: all pointers are valid for the call; null is checked.
        let code = unsafe {
            ffi::avformat_alloc_output_context2(
                &raw mut context,
                ptr::null(),
                container.as_ptr(),
                ptr::null(),
            )
        };
        if code < 0 || context.is_null() {
            return Err(Error::internal(format!(
                "this libavformat cannot write {}",
                container.to_string_lossy()
            )));
        }
        let output = Self { context };
        // SAFETY: the context is ours; its output is a buffer in memory that can be sought in.
        let code = unsafe { ffi::avio_open_dyn_buf(&raw mut (*context).pb) };
        if code < 0 {
            Err(Error::internal(format!("no memory for a clip: {}", message(code))))
        } else {
            Ok(output)
        }
    }

    /// The bytes written.
    fn finish(self) -> Vec<u8> {
        // SAFETY: the context is valid.
        unsafe { close_buffer(&mut *self.context) }
    }
}

/// Take what was written out of the buffer, which is gone afterwards.
///
/// # Safety
/// The context's output is null or a dynamic buffer.
unsafe fn close_buffer(context: &mut ffi::AVFormatContext) -> Vec<u8> {
    if context.pb.is_null() {
        return Vec::new();
    }
    let mut data = ptr::null_mut();
    // SAFETY: promised by the caller; the callee gives a buffer of the length it states, which is ours.
    unsafe {
        let size = ffi::avio_close_dyn_buf(context.pb, &raw mut data);
        context.pb = ptr::null_mut();
        if data.is_null() {
            return Vec::new();
        }
        let bytes = std::slice::from_raw_parts(data, usize::try_from(size).unwrap_or(0)).to_vec();
        ffi::av_free(data.cast());
        bytes
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // SAFETY: allocated by avformat_alloc_output_context2, freed once; the buffer before it.
        unsafe {
            close_buffer(&mut *self.context);
            ffi::avformat_free_context(self.context);
        }
    }
}

/// Write `packets` of `format`, whose times are nanoseconds from 0 on and
/// which stand in decoding order, into one file: MP4 with its index in front
/// where MP4 can hold the codec, else Matroska. Also the container's name.
///
/// # Errors
/// `Internal` when libavformat cannot write it.
pub fn mux(format: &StreamFormat, packets: &mut [Packet]) -> Result<(Vec<u8>, &'static str)> {
    // SAFETY: the parameters are valid; the queried format is static or null.
    let fits_mp4 = unsafe {
        let mp4 = ffi::av_guess_format(c"mp4".as_ptr(), ptr::null(), ptr::null());
        !mp4.is_null()
            && ffi::avformat_query_codec(mp4, (*format.as_ptr()).codec_id, ffi::FF_COMPLIANCE_NORMAL) == 1
    };
    let (container, name) = if fits_mp4 { (c"mp4", "mp4") } else { (c"matroska", "matroska") };
    let failed = |code: c_int| Error::internal(format!("clip cannot be written: {}", message(code)));
    let output = Output::new(container)?;
    let context = output.context;
    let mut options = ptr::null_mut();
    let room =
        std::ffi::CString::new((INDEX + INDEX_PER_PACKET * packets.len()).to_string()).unwrap_or_default();
    // SAFETY: the context, its new stream and the parameters are valid; the dictionary is freed whatever
    // happens; the muxer reads the packet and leaves it ours.
    unsafe {
        // The same packets give the same bytes: no version, no random ids.
        (*context).flags |= ffi::AVFMT_FLAG_BITEXACT as c_int;
        let stream = ffi::avformat_new_stream(context, ptr::null());
        if stream.is_null() {
            return Err(Error::internal("no memory for a clip's stream"));
        }
        let code = ffi::avcodec_parameters_copy((*stream).codecpar, format.as_ptr());
        if code < 0 {
            return Err(failed(code));
        }
        // The source's own tag may mean nothing in this container; players ask for `hvc1`.
        let hevc = (*format.as_ptr()).codec_id == ffi::AVCodecID::HEVC && fits_mp4;
        (*(*stream).codecpar).codec_tag = if hevc { u32::from_le_bytes(*b"hvc1") } else { 0 };
        (*stream).time_base = ffi::AVRational { num: 1, den: TICKS as c_int };
        if fits_mp4 {
            ffi::av_dict_set(&raw mut options, c"moov_size".as_ptr(), room.as_ptr(), 0);
        }
        let code = ffi::avformat_write_header(context, &raw mut options);
        ffi::av_dict_free(&raw mut options);
        if code < 0 {
            return Err(failed(code));
        }
        let base = (*stream).time_base;
        let (num, den) = (i128::from(base.num.max(1)), i128::from(base.den.max(1)));
        let ticks = |ns: i64| (i128::from(ns) * den / (num * i128::from(NS))) as i64;
        let mut last = i64::MIN;
        let times: Vec<i64> = packets.iter().map(|p| ticks(p.dts().unwrap_or(0))).collect();
        for (i, packet) in packets.iter_mut().enumerate() {
            let (pts, dts) = (packet.pts().unwrap_or(0), packet.dts().unwrap_or(0));
            // Containers ask for rising decoding times; damaged sources do not keep to that.
            let dts = ticks(dts).max(last.saturating_add(1));
            last = dts;
            packet.set_times(ticks(pts).max(dts), dts);
            let raw = packet.as_mut_ptr();
            (*raw).stream_index = 0;
            // The last picture stands as long as the one before it; without a duration it would be left out.
            let (from, to) = if i + 1 < times.len() { (i, i + 1) } else { (i.max(1) - 1, i) };
            (*raw).duration = times[to].saturating_sub(times[from]).max(ticks(SHORTEST_NS));
            (*raw).pos = -1;
            let code = ffi::av_write_frame(context, raw);
            if code < 0 {
                return Err(failed(code));
            }
        }
        let code = ffi::av_write_trailer(context);
        if code < 0 {
            return Err(failed(code));
        }
    }
    Ok((output.finish(), name))
}

//! The one place that calls libav: a safe face over demuxing and decoding.
//!
//! Every `unsafe` of the crate lives in this module. What makes it sound:
//! * each owned pointer is non-null from construction to `Drop`, which frees
//!   it with the function libav pairs with its allocation;
//! * contexts are used by one thread at a time (`&mut self`), which is all
//!   libav asks for; nothing is shared between them, so they are `Send`;
//! * picture bytes are lent only as slices inside the plane's own buffer,
//!   whose size libav states, and only while the frame is borrowed.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};
use std::sync::Once;

use ffmpeg_sys_the_third as ffi;

mod bands;
mod decoder;
mod demuxer;
mod format;
mod layout;
mod log;
mod muxer;
mod nvdec;

pub use decoder::{Decoder, Frame, Received, Wants};
pub use demuxer::{Demuxer, Packet, Patience, Read, Refusal, StreamInfo};
pub use format::StreamFormat;
pub use layout::{Component, PixelLayout};
pub use log::Complaints;
pub use muxer::mux;
pub use nvdec::use_nvdec;

/// Most bytes that libav may hold in one piece: a picture of 8K in any format
/// fits, a packet or description whose length is a lie does not.
const LARGEST: usize = 128 << 20;

/// What libav must know before it is used, once per process.
fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        Complaints::capture();
        // SAFETY: a number, read by every allocation after this one.
        unsafe { ffi::av_max_alloc(LARGEST) }
    });
}

/// What libav says about an error code.
fn message(code: c_int) -> String {
    let mut text: [c_char; 128] = [0; 128];
    // SAFETY: the buffer is writable for the length given; av_strerror always terminates it.
    unsafe {
        ffi::av_strerror(code, text.as_mut_ptr(), text.len());
        CStr::from_ptr(text.as_ptr()).to_string_lossy().into_owned()
    }
}

/// A static C string of libav, or `?`.
///
/// # Safety
/// `text` is null or points to a terminated string that lives as long as the program.
unsafe fn static_str(text: *const c_char) -> &'static str {
    if text.is_null() {
        return "?";
    }
    // SAFETY: promised by the caller.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or("?")
}

/// `AV_NOPTS_VALUE` as the absence it means.
fn timestamp(value: i64) -> Option<i64> {
    (value != ffi::AV_NOPTS_VALUE).then_some(value)
}

//! Decoding on an NVIDIA GPU: the same decoders, with the work done by NVDEC.
//!
//! One CUDA context serves all decoders of the process. Pictures come back to
//! the machine's memory as NV12, so nothing after the decoder knows the
//! difference. H.264 and H.265 define every sample, so an undamaged stream
//! gives the same pictures as on the CPU; what a codec does not define so (MJPEG)
//! stays there, and so does what the GPU does not take.

use std::ffi::c_int;
use std::ptr;
use std::sync::OnceLock;

use ss_model::{Error, Result};

use super::{Complaints, Frame, ffi, message};

struct Device(*mut ffi::AVBufferRef);

// SAFETY: a reference-counted buffer whose count is atomic; libav shares such devices between threads.
unsafe impl Send for Device {}
// SAFETY: as above; it is only ever referenced anew.
unsafe impl Sync for Device {}

/// Never freed: decoders may live as long as the process.
static DEVICE: OnceLock<std::result::Result<Device, String>> = OnceLock::new();

/// From now on, decoders of this process that can use NVDEC do.
///
/// # Errors
/// `Unavailable` when this machine has none, or libav was built without;
/// decoders then work as before.
pub fn use_nvdec() -> Result<()> {
    let opened = DEVICE.get_or_init(|| {
        super::prepare();
        let mut device = ptr::null_mut();
        // SAFETY: the place for the result is valid; the other arguments may be null.
        let code = unsafe {
            ffi::av_hwdevice_ctx_create(
                &raw mut device,
                ffi::AVHWDeviceType::CUDA,
                ptr::null(),
                ptr::null_mut(),
                0,
            )
        };
        if code >= 0 && !device.is_null() {
            return Ok(Device(device));
        }
        let said = Complaints::latest(); // names the library that is missing; the code does not
        Err(if said.is_empty() { message(code) } else { said })
    });
    match opened {
        Ok(_) => Ok(()),
        Err(why) => {
            Err(Error::unavailable(format!("no NVDEC on this machine, or not in this FFmpeg ({why})")))
        }
    }
}

/// Let a decoder that is about to be opened use the GPU, where that was asked
/// for and its codec defines every sample.
///
/// # Safety
/// `context` is valid and not open yet.
pub unsafe fn lend(context: *mut ffi::AVCodecContext) {
    if let Some(Ok(device)) = DEVICE.get() {
        // SAFETY: the context is valid, and owns the new reference from here on; null (no memory) is no device.
        unsafe {
            if [ffi::AVCodecID::H264, ffi::AVCodecID::HEVC].contains(&(*context).codec_id) {
                (*context).hw_device_ctx = ffi::av_buffer_ref(device.0);
            }
        }
    }
}

/// Bring a picture that lies on the GPU into memory; others stay as they are.
///
/// # Errors
/// libav's reason.
pub fn fetch(frame: &mut Frame) -> std::result::Result<(), String> {
    if frame.raw().hw_frames_ctx.is_null() {
        return Ok(());
    }
    let here = Frame::new().map_err(|e| e.message)?;
    // SAFETY: both frames are valid; the callees fill the one and empty the other.
    let code: c_int = unsafe {
        let code = ffi::av_hwframe_transfer_data(here.0, frame.0, 0);
        if code < 0 { code } else { ffi::av_frame_copy_props(here.0, frame.0) }
    };
    if code < 0 {
        return Err(format!("picture does not come back from the GPU: {}", message(code)));
    }
    *frame = here;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_machine_without_it_says_so_each_time() {
        for _ in 0..2 {
            if let Err(e) = use_nvdec() {
                assert!(
                    e.message.starts_with("no NVDEC on this machine, or not in this FFmpeg ("),
                    "{}",
                    e.message
                );
            }
        }
        assert_eq!(fetch(&mut Frame::new().unwrap()), Ok(()));
    }
}

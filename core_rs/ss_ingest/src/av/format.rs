//! What must be known of a stream to mux or decode its packets elsewhere.

use ss_model::{Error, Result};

use super::{ffi, message, static_str};

/// A stream's codec parameters, kept after its demuxer is gone.
pub struct StreamFormat(*mut ffi::AVCodecParameters);

// SAFETY: an owned allocation without thread affinity, never changed after `copy`.
unsafe impl Send for StreamFormat {}
// SAFETY: as above; shared references only read.
unsafe impl Sync for StreamFormat {}

impl StreamFormat {
    pub(super) fn copy(parameters: *const ffi::AVCodecParameters) -> Result<Self> {
        // SAFETY: plain allocation, null is checked; both are valid for the copy.
        unsafe {
            let own = ffi::avcodec_parameters_alloc();
            if own.is_null() {
                return Err(Error::internal("out of memory for codec parameters"));
            }
            let format = Self(own);
            match ffi::avcodec_parameters_copy(own, parameters) {
                0.. => Ok(format),
                code => Err(Error::internal(format!("codec parameters: {}", message(code)))),
            }
        }
    }

    pub(super) fn as_ptr(&self) -> *const ffi::AVCodecParameters {
        self.0
    }

    fn raw(&self) -> &ffi::AVCodecParameters {
        // SAFETY: non-null by construction.
        unsafe { &*self.0 }
    }

    /// libav's name of the codec.
    pub fn codec(&self) -> &'static str {
        // SAFETY: a static string of libav.
        unsafe { static_str(ffi::avcodec_get_name(self.raw().codec_id)) }
    }

    /// Parameter sets and the like that stand outside the packets.
    fn extradata(&self) -> &[u8] {
        let (data, size) = (self.raw().extradata, self.raw().extradata_size);
        match usize::try_from(size) {
            // SAFETY: libav states the length of its own buffer.
            Ok(size) if size > 0 && !data.is_null() => unsafe { std::slice::from_raw_parts(data, size) },
            _ => &[],
        }
    }

    /// Pictures may be shown in another order than they are decoded in.
    pub fn reorders(&self) -> bool {
        self.raw().video_delay > 0
    }

    /// Packets of both may follow each other in one clip.
    pub fn continues(&self, earlier: &Self) -> bool {
        let key = |f: &Self| (f.raw().codec_id, f.raw().width, f.raw().height);
        key(self) == key(earlier) && self.extradata() == earlier.extradata()
    }
}

impl Drop for StreamFormat {
    fn drop(&mut self) {
        // SAFETY: allocated by avcodec_parameters_alloc, freed once.
        unsafe { ffi::avcodec_parameters_free(&raw mut self.0) }
    }
}

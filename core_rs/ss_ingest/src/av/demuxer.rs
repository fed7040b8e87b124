//! Containers: packets of the best video stream of a file.

use std::ffi::{CStr, CString, c_int, c_void};
use std::path::Path;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ss_model::{Error, Result};

use super::{StreamFormat, ffi, message, static_str, timestamp};

/// Raw bitstreams: libav reads them, but their packets have no times.
const RAW: [&str; 4] = ["h264", "hevc", "mjpeg", "m4v"];

/// What a container says about its video stream, before anything is decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamInfo {
    /// libav's name of the container.
    pub container: &'static str,
    /// libav's name of the codec.
    pub codec: &'static str,
    /// libav's name of the pixel format, `?` when not known yet.
    pub pixel_format: &'static str,
    /// Picture width in pixels; 0 when not known yet.
    pub width: usize,
    /// Picture height in pixels; 0 when not known yet.
    pub height: usize,
    /// Seconds per tick of packet times, as a fraction.
    pub time_base: (i64, i64),
    /// Mean frames per second, as a fraction, when stated.
    pub frame_rate: Option<(i64, i64)>,
    /// Number of frames, when the container states it.
    pub frames: Option<u64>,
    /// Ticks of `time_base` the stream lasts, when stated.
    pub duration: Option<i64>,
    /// False for raw bitstreams, whose packets have no times of their own.
    pub timestamps: bool,
}

/// One compressed packet.
pub struct Packet(*mut ffi::AVPacket);

// SAFETY: an owned allocation without thread affinity.
unsafe impl Send for Packet {}

impl Packet {
    pub fn new() -> Result<Self> {
        // SAFETY: plain allocation; null is checked.
        let packet = unsafe { ffi::av_packet_alloc() };
        if packet.is_null() { Err(Error::internal("out of memory for a packet")) } else { Ok(Self(packet)) }
    }

    pub(super) fn as_ptr(&self) -> *const ffi::AVPacket {
        self.0
    }

    /// Presentation time in ticks.
    pub fn pts(&self) -> Option<i64> {
        // SAFETY: non-null by construction.
        timestamp(unsafe { (*self.0).pts })
    }

    /// Decoding time in ticks.
    pub fn dts(&self) -> Option<i64> {
        // SAFETY: as above.
        timestamp(unsafe { (*self.0).dts })
    }

    /// Byte of the file at which it lies, where the container says so.
    pub fn position(&self) -> Option<i64> {
        // SAFETY: as above.
        Some(unsafe { (*self.0).pos }).filter(|&at| at >= 0)
    }

    /// Decoding may begin here.
    pub fn is_key(&self) -> bool {
        // SAFETY: as above.
        unsafe { (*self.0).flags & ffi::AV_PKT_FLAG_KEY != 0 }
    }

    /// Bytes of payload.
    pub fn size(&self) -> usize {
        // SAFETY: as above.
        unsafe { (*self.0).size.max(0) as usize }
    }

    /// The sender's clock when the picture was taken, in nanoseconds UTC: by
    /// the latest RTCP sender report before the packet.
    pub fn wallclock_ns(&self) -> Option<i64> {
        let mut size = 0;
        // SAFETY: valid packet; the callee gives null or a buffer of `size` bytes that lives as long.
        let found = unsafe {
            let kind = ffi::AVPacketSideDataType::PRFT;
            let data = ffi::av_packet_get_side_data(self.0, kind, &raw mut size);
            if data.is_null() || size < std::mem::size_of::<ffi::AVProducerReferenceTime>() {
                return None;
            }
            data.cast::<ffi::AVProducerReferenceTime>().read_unaligned()
        };
        found.wallclock.checked_mul(1000).filter(|&ns| ns > 0)
    }

    /// Another packet with the same payload, which is shared and not copied.
    ///
    /// # Errors
    /// `Internal` when there is no memory for it.
    pub fn share(&self) -> Result<Self> {
        let packet = Self::new()?;
        // SAFETY: both valid, the target is blank; payloads of libav's demuxers are counted references.
        match unsafe { ffi::av_packet_ref(packet.0, self.0) } {
            0.. => Ok(packet),
            code => Err(Error::internal(format!("packet cannot be kept: {}", message(code)))),
        }
    }

    /// Mark as a key frame, or not.
    #[cfg(test)]
    pub fn set_key(&mut self, key: bool) {
        // SAFETY: non-null by construction, and owned.
        unsafe { (*self.0).flags = if key { ffi::AV_PKT_FLAG_KEY } else { 0 } }
    }

    /// Set both times, in ticks of whatever reads the packet next.
    pub fn set_times(&mut self, pts: i64, dts: i64) {
        // SAFETY: non-null by construction, and owned.
        unsafe {
            (*self.0).pts = pts;
            (*self.0).dts = dts;
        }
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut ffi::AVPacket {
        self.0
    }
}

impl Drop for Packet {
    fn drop(&mut self) {
        // SAFETY: allocated by av_packet_alloc, freed once.
        unsafe { ffi::av_packet_free(&raw mut self.0) }
    }
}

/// Outcome of reading the next packet.
pub enum Read {
    /// The packet holds the next one of the video stream.
    Packet,
    /// The file is over.
    End,
    /// It could not be read; the text says why. Reading on may help.
    Failed(String),
}

/// Until when libav may wait on the network, seen by its interrupt callback.
#[derive(Debug)]
pub struct Patience {
    begun: Instant,
    /// Milliseconds since `begun`.
    deadline: AtomicU64,
    stop: AtomicBool,
}

impl Patience {
    /// Without end, until told otherwise.
    pub fn new() -> Self {
        Self { begun: Instant::now(), deadline: AtomicU64::new(u64::MAX), stop: AtomicBool::new(false) }
    }

    /// Wait no longer than `time` from now.
    pub fn at_most(&self, time: Duration) {
        let until = self.begun.elapsed().saturating_add(time).as_millis();
        self.deadline.store(u64::try_from(until).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Wait no more at all.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// [`Patience::stop`] was called.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// It has run out.
    pub fn is_over(&self) -> bool {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.stopped() || now >= self.deadline.load(Ordering::Relaxed)
    }
}

/// What libav asks while it waits: 1 to give up.
unsafe extern "C" fn interrupted(patience: *mut c_void) -> c_int {
    // SAFETY: the pointer of an `Arc` that the demuxer holds as long as its context lives.
    unsafe { &*patience.cast::<Patience>() }.is_over().into()
}

/// How the camera answered a request to open it.
pub enum Refusal {
    /// It wants a login, or another one.
    Login,
    /// Anything else; libav's words.
    Other(String),
}

/// An open file or connection.
pub struct Demuxer {
    context: *mut ffi::AVFormatContext,
    stream: c_int,
    /// Outlives the context, which points to it.
    patience: Option<Arc<Patience>>,
}

// SAFETY: an owned context, used through `&mut self` only.
unsafe impl Send for Demuxer {}

impl Demuxer {
    /// Open the file at `path` and find its video.
    ///
    /// # Errors
    /// `InvalidInput` when libav finds no container or no video stream in it.
    pub fn open(path: &Path) -> Result<Self> {
        super::prepare();
        let bad = |what: String| Error::invalid(format!("{}: {what}", path.display()));
        // The explicit protocol keeps a name such as `concat:a|b` or `http://…` a file name.
        let mut url = b"file:".to_vec();
        url.extend_from_slice(path.as_os_str().as_encoded_bytes());
        let url = CString::new(url).map_err(|_| bad("a path holds no NUL byte".into()))?;
        let mut context = ptr::null_mut();
        let mut options = ptr::null_mut();
        // SAFETY: all pointers are valid for the calls; on failure avformat_open_input frees the
        // context itself and leaves null. The dictionary is freed whatever happens.
        let code = unsafe {
            // A playlist or session description must not make us open anything else.
            ffi::av_dict_set(&raw mut options, c"protocol_whitelist".as_ptr(), c"file".as_ptr(), 0);
            let code =
                ffi::avformat_open_input(&raw mut context, url.as_ptr(), ptr::null(), &raw mut options);
            ffi::av_dict_free(&raw mut options);
            code
        };
        if code < 0 {
            return Err(bad(format!("not a video file that can be read ({})", message(code))));
        }
        let mut demuxer = Self { context, stream: -1, patience: None };
        demuxer.find_video().map_err(bad)?;
        Ok(demuxer)
    }

    /// Connect to `url` with libav's `options`, waiting as long as `patience`
    /// allows, then and in every [`Demuxer::read`]. Opens nothing else than
    /// the protocols that the options list.
    ///
    /// # Errors
    /// Why the camera gives no video.
    pub fn connect(
        url: &str,
        options: &[(&CStr, String)],
        patience: &Arc<Patience>,
    ) -> std::result::Result<Self, Refusal> {
        super::prepare();
        let other = |what: &str| Refusal::Other(what.to_owned());
        let url = CString::new(url).map_err(|_| other("an address holds no NUL byte"))?;
        let mut dictionary = ptr::null_mut();
        // SAFETY: allocation; null is checked.
        let mut context = unsafe { ffi::avformat_alloc_context() };
        if context.is_null() {
            return Err(other("out of memory for a connection"));
        }
        // SAFETY: all pointers are valid for the calls; the callback's data is an `Arc` that lives until
        // after the context: in `demuxer`, or in the caller while this fails. On failure
        // avformat_open_input frees the context itself.
        let code = unsafe {
            let opaque = Arc::as_ptr(patience).cast_mut().cast();
            (*context).interrupt_callback = ffi::AVIOInterruptCB { callback: Some(interrupted), opaque };
            for (name, value) in options {
                let value = CString::new(value.as_str()).unwrap_or_default();
                ffi::av_dict_set(&raw mut dictionary, name.as_ptr(), value.as_ptr(), 0);
            }
            let code =
                ffi::avformat_open_input(&raw mut context, url.as_ptr(), ptr::null(), &raw mut dictionary);
            ffi::av_dict_free(&raw mut dictionary);
            code
        };
        if matches!(code, ffi::AVERROR_HTTP_UNAUTHORIZED | ffi::AVERROR_HTTP_FORBIDDEN) {
            return Err(Refusal::Login);
        }
        if code < 0 {
            return Err(Refusal::Other(message(code)));
        }
        let mut demuxer = Self { context, stream: -1, patience: Some(Arc::clone(patience)) };
        demuxer.find_video().map_err(Refusal::Other)?;
        Ok(demuxer)
    }

    /// Choose the video stream and leave the others out.
    fn find_video(&mut self) -> std::result::Result<(), String> {
        let context = self.context;
        // SAFETY: the context is open; av_find_best_stream accepts null for what we do not ask.
        let stream = unsafe {
            let code = ffi::avformat_find_stream_info(context, ptr::null_mut());
            if code < 0 {
                return Err(format!("no readable stream in it ({})", message(code)));
            }
            let video = ffi::AVMediaType::VIDEO;
            ffi::av_find_best_stream(context, video, -1, -1, ptr::null_mut(), 0)
        };
        if stream < 0 {
            return Err("no video stream in it".into());
        }
        self.stream = stream;
        // SAFETY: `streams` holds `nb_streams` valid pointers.
        unsafe {
            for i in 0..(*context).nb_streams as usize {
                if i != stream as usize {
                    (**(*context).streams.add(i)).discard = ffi::AVDiscard::ALL;
                }
            }
        }
        Ok(())
    }

    fn raw_stream(&self) -> *mut ffi::AVStream {
        // SAFETY: `stream` is an index that libav gave for this context.
        unsafe { *(*self.context).streams.add(self.stream as usize) }
    }

    pub(super) fn parameters(&self) -> *const ffi::AVCodecParameters {
        // SAFETY: every stream has codec parameters.
        unsafe { (*self.raw_stream()).codecpar }
    }

    /// What a muxer or another decoder must know of the video stream.
    ///
    /// # Errors
    /// `Internal` when there is no memory for it.
    pub fn format(&self) -> Result<StreamFormat> {
        StreamFormat::copy(self.parameters())
    }

    pub(super) fn raw_time_base(&self) -> ffi::AVRational {
        // SAFETY: valid stream.
        unsafe { (*self.raw_stream()).time_base }
    }

    /// What the container says about the video.
    pub fn info(&self) -> StreamInfo {
        // SAFETY: valid context, stream and parameters; names are static strings of libav.
        unsafe {
            let (stream, parameters) = (&*self.raw_stream(), &*self.parameters());
            let input = &*(*self.context).iformat;
            let tb = stream.time_base;
            let rate = |r: ffi::AVRational| (r.num > 0 && r.den > 0).then(|| (r.num.into(), r.den.into()));
            let container = static_str(input.name);
            StreamInfo {
                container,
                codec: static_str(ffi::avcodec_get_name(parameters.codec_id)),
                pixel_format: static_str(ffi::av_get_pix_fmt_name(ffi::AVPixelFormat(parameters.format))),
                width: parameters.width.max(0) as usize,
                height: parameters.height.max(0) as usize,
                time_base: (tb.num.max(1).into(), tb.den.max(1).into()),
                frame_rate: rate(stream.avg_frame_rate).or_else(|| rate(stream.r_frame_rate)),
                frames: u64::try_from(stream.nb_frames).ok().filter(|&n| n > 0),
                duration: timestamp(stream.duration).filter(|&d| d > 0).or_else(|| self.whole_duration()),
                timestamps: !RAW.contains(&container),
            }
        }
    }

    /// What the container states for all streams together, in ticks of the
    /// video; not what libav guesses from a bit rate.
    fn whole_duration(&self) -> Option<i64> {
        // SAFETY: valid context.
        let (duration, method) =
            unsafe { ((*self.context).duration, (*self.context).duration_estimation_method) };
        let stated = method != ffi::AVDurationEstimationMethod::BITRATE;
        let duration = timestamp(duration).filter(|&d| stated && d > 0)?;
        let (num, den) = (self.raw_time_base().num.max(1), self.raw_time_base().den.max(1));
        let ticks = i128::from(duration) * i128::from(den) / (i128::from(num) * 1_000_000);
        i64::try_from(ticks).ok()
    }

    /// Read the next packet of the video stream.
    pub fn read(&mut self, packet: &mut Packet) -> Read {
        loop {
            // SAFETY: both are valid; a previous payload is released first.
            let code = unsafe {
                ffi::av_packet_unref(packet.0);
                ffi::av_read_frame(self.context, packet.0)
            };
            match code {
                // SAFETY: the packet was just filled.
                0.. if unsafe { (*packet.0).stream_index } == self.stream => return Read::Packet,
                0.. => {}
                ffi::AVERROR_EOF => return Read::End,
                code => return Read::Failed(message(code)),
            }
        }
    }

    /// Go to the last key frame at or before decoding time `dts`; false when
    /// the container cannot.
    pub fn seek(&mut self, dts: i64) -> bool {
        // SAFETY: valid context and stream index.
        unsafe { ffi::av_seek_frame(self.context, self.stream, dts, ffi::AVSEEK_FLAG_BACKWARD) >= 0 }
    }
}

impl Drop for Demuxer {
    fn drop(&mut self) {
        if let Some(patience) = &self.patience {
            // RTSP says goodbye; a camera that is gone does not answer.
            patience.at_most(Duration::from_millis(200));
        }
        // SAFETY: opened by avformat_open_input, closed once.
        unsafe { ffi::avformat_close_input(&raw mut self.context) }
    }
}

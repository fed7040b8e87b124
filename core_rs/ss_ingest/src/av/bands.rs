//! Pictures made smaller while they are decoded.
//!
//! A decoded picture is long out of the cache when somebody looks at it. libav
//! tells of rows as soon as they are final (H.264 does), and reducing them there
//! saves reading them again. What is not told whole, in order and of a plain
//! 8-bit plane is not kept: whoever wants it smaller does it from the picture.

use std::ffi::c_int;
use std::ptr;

use ss_model::Reducer;

use super::ffi;
use super::layout::PixelLayout;

/// libav's `PICT_FRAME`: both fields.
const WHOLE_FRAME: c_int = 3;
/// Pictures that a decoder may hold before it gives them out: 16 and one at work.
const HELD: usize = 17;

/// The reduced pictures of one decoder; its context points to it.
pub struct Bands {
    columns: usize,
    reducer: Option<((usize, usize), Reducer)>,
    /// Format number and whether its luma can be read as it is.
    format: (c_int, bool),
    pictures: Vec<Picture>,
}

/// A picture that is being decoded, or waits to be given out.
struct Picture {
    /// Where its luma lies, and its timestamp: libav uses a place again when its picture is done with.
    /// Null when it was given out.
    place: *const u8,
    pts: i64,
    /// Rows told so far; `None` when one was left out.
    rows: Option<usize>,
    data: Vec<u8>,
}

// SAFETY: places are compared and never followed.
unsafe impl Send for Picture {}

impl Bands {
    /// For pictures reduced to at least `columns` columns.
    pub fn new(columns: usize) -> Self {
        Self { columns, reducer: None, format: (-1, false), pictures: Vec::new() }
    }

    /// Have `context` tell of its rows.
    ///
    /// # Safety
    /// `context` is a valid one that is not opened yet, and `bands` lives until it is freed.
    pub unsafe fn listen(bands: *mut Self, context: *mut ffi::AVCodecContext) {
        // SAFETY: promised by the caller.
        unsafe {
            (*context).opaque = bands.cast();
            (*context).draw_horiz_band = Some(told);
            (*context).slice_flags = ffi::SLICE_FLAG_CODED_ORDER;
        }
    }

    /// Put the reduced form of `frame`, which has just been given out, into `into`: its factor, or
    /// `None` when it is not known.
    pub fn take(&mut self, frame: &ffi::AVFrame, into: &mut Vec<u8>) -> Option<usize> {
        let picture = self.pictures.iter_mut().find(|p| p.place == frame.data[0].cast_const())?;
        picture.place = ptr::null();
        let (size, reducer) = self.reducer?;
        let whole = picture.rows == Some(size.1);
        let same = size == (frame.width.max(0) as usize, frame.height.max(0) as usize);
        (whole && same && picture.pts == frame.pts).then(|| {
            std::mem::swap(into, &mut picture.data);
            reducer.factor
        })
    }

    /// Rows of `src`, a picture of `size` without its margins, are final.
    fn tell(&mut self, src: &ffi::AVFrame, size: (usize, usize), band: &Band) {
        if self.format.0 != src.format {
            let plain = PixelLayout::of(src.format).is_ok_and(|l| (l.step, l.shift, l.offset) == (1, 0, 0));
            self.format = (src.format, plain);
        }
        let place = src.data[0].cast_const();
        let Some(stride) = stride(src, size).filter(|_| self.format.1) else { return };
        let reducer = match self.reducer {
            Some((of, reducer)) if of == size => reducer,
            _ => {
                self.pictures.clear();
                self.reducer.insert((size, Reducer::new(size.0, size.1, self.columns))).1
            }
        };
        if band.first == 0 {
            self.begin(place, src.pts, reducer.width * reducer.height);
        }
        let Some(picture) = self.pictures.iter_mut().find(|p| p.place == place) else { return };
        let done = picture.rows.filter(|&rows| rows == band.first && band.whole && picture.pts == src.pts);
        picture.rows = done.map(|rows| rows + band.rows);
        let (Some(before), Some(after)) = (done, picture.rows) else { return };
        // The rows before it are those that did not fill a box.
        let k = reducer.factor;
        let (from, to) = (before / k, (after / k).min(reducer.height));
        if from < to {
            // SAFETY: `stride` has seen that the buffer holds all rows; up to row `after` they are
            // decoded, and libav waits for this call to end.
            let rows = unsafe {
                std::slice::from_raw_parts(
                    place.add(from * k * stride),
                    (to - from) * k * stride - stride + size.0,
                )
            };
            let width = reducer.width;
            reducer.rows(rows, stride, &mut picture.data[from * width..to * width]);
        }
    }

    /// Row 0 of a picture at `place`: what was known of that place is over.
    fn begin(&mut self, place: *const u8, pts: i64, length: usize) {
        let known = self.pictures.iter().position(|p| p.place == place);
        let free = || self.pictures.iter().position(|p| p.place.is_null());
        // One that was never given out makes room at last.
        let oldest = || (self.pictures.len() > HELD).then_some(0);
        let taken = known.or_else(free).or_else(oldest).map(|i| self.pictures.remove(i));
        let mut data = taken.map(|p| p.data).unwrap_or_default();
        data.resize(length, 0);
        self.pictures.push(Picture { place, pts, rows: Some(0), data });
    }
}

/// Bytes from row to row of `src`, when its buffer holds a picture of `size`.
fn stride(src: &ffi::AVFrame, (width, height): (usize, usize)) -> Option<usize> {
    let stride = usize::try_from(src.linesize[0]).ok()?;
    // SAFETY: null or a buffer that the frame owns.
    let buffer = unsafe { src.buf[0].as_ref()? };
    let before = (src.data[0] as usize).checked_sub(buffer.data as usize)?;
    let needed = before.checked_add(stride.checked_mul(height)?)?;
    (width > 0 && width <= stride && needed <= buffer.size).then_some(stride)
}

/// Rows that are final.
struct Band {
    first: usize,
    rows: usize,
    /// Of both fields.
    whole: bool,
}

/// libav has finished rows of a picture.
unsafe extern "C" fn told(
    context: *mut ffi::AVCodecContext,
    src: *const ffi::AVFrame,
    _offset: *mut c_int,
    y: c_int,
    structure: c_int,
    height: c_int,
) {
    // SAFETY: libav calls with its own context, whose `opaque` was set by `listen`, on the thread that
    // sends packets, while the decoder is borrowed mutably and nobody else looks at the bands.
    let (bands, context, src) =
        unsafe { ((*context).opaque.cast::<Bands>().as_mut(), &*context, src.as_ref()) };
    let (Some(bands), Some(src)) = (bands, src) else { return };
    let (Ok(first), Ok(rows)) = (usize::try_from(y), usize::try_from(height)) else { return };
    let size = (context.width.max(0) as usize, context.height.max(0) as usize);
    bands.tell(src, size, &Band { first, rows, whole: structure == WHOLE_FRAME });
}

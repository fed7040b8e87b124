//! A whole clip in one call.

use ss_model::{Detection, Error, EventTime, Result, Track};

use super::Tracker;

/// Tracks of a clip in columns, frame by frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClipTracks {
    /// Frame of each row.
    pub frame: Vec<i64>,
    /// The rows, within a frame ordered by id.
    pub rows: Vec<Track>,
    /// Index of each row's detection among those given.
    pub source: Vec<u32>,
}

impl Tracker {
    /// Track detections whose frame numbers do not fall; frame `n` was taken `n / fps` seconds after 0.
    ///
    /// The same as [`update`](Tracker::update) for every frame from the first
    /// to the last, those without detections included.
    ///
    /// # Errors
    /// `InvalidInput` when the columns differ in length, a frame number falls
    /// or lies beyond the years that nanoseconds can count, or `fps` is not positive.
    pub fn track_clip(&mut self, frames: &[i64], detections: &[Detection], fps: f64) -> Result<ClipTracks> {
        let frame_ns = 1e9 / fps;
        if !(1.0..=1e12).contains(&frame_ns) {
            return Err(Error::invalid(format!(
                "clip: found {fps} frames per second, expected 0.001 to 1e9"
            )));
        }
        if frames.len() != detections.len() {
            let (f, d) = (frames.len(), detections.len());
            return Err(Error::invalid(format!(
                "clip: found {f} frame numbers for {d} detections, expected one each"
            )));
        }
        if let Some(i) = frames.windows(2).position(|w| w[0] > w[1]) {
            let (a, b) = (frames[i], frames[i + 1]);
            return Err(Error::invalid(format!(
                "clip: row {}: found frame {b} after {a}, expected rising",
                i + 1
            )));
        }
        for frame in frames.first().into_iter().chain(frames.last()) {
            if (*frame as f64 * frame_ns).abs() > 9e18 {
                return Err(Error::invalid(format!(
                    "clip: frame {frame} lies beyond what nanoseconds can count"
                )));
            }
        }
        let time_of = |frame: i64| EventTime((frame as f64 * frame_ns).round() as i64);
        let mut out = ClipTracks::default();
        out.frame.reserve(frames.len());
        out.rows.reserve(frames.len());
        out.source.reserve(frames.len());
        let (mut from, mut next) = (0, frames.first().copied().unwrap_or_default());
        for in_frame in frames.chunk_by(|a, b| a == b) {
            let frame = in_frame[0];
            // Once every track is forgotten, frames that show nobody change nothing.
            while next < frame && self.alive() > 0 {
                self.update(time_of(next), &[]);
                next += 1;
            }
            let to = from + in_frame.len();
            self.update(time_of(frame), &detections[from..to]);
            out.frame.resize(out.frame.len() + self.rows.len(), frame);
            out.rows.extend_from_slice(&self.rows);
            out.source.extend(self.sources.iter().map(|&source| from as u32 + source));
            from = to;
            next = frame + 1;
        }
        Ok(out)
    }
}

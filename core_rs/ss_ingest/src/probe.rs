//! A look at a video file before anything runs: its header, a still of it, or the whole.

use std::collections::BTreeMap;
use std::path::Path;

use ss_model::{Error, EventTime, Result};

use crate::av::Wants;
use crate::next::Next;
use crate::reader::{Event, FileReader};
use crate::video::VideoRun;

/// What a file holds, as far as its header and its first frame tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// libav's name of the container.
    pub container: String,
    /// libav's name of the codec.
    pub codec: String,
    /// libav's name of the pixel format.
    pub pixel_format: String,
    /// Picture width in pixels.
    pub width: usize,
    /// Picture height in pixels.
    pub height: usize,
    /// Nominal frames per second.
    pub fps: f64,
    /// Times are counted by `fps`, and nobody states it.
    pub fps_assumed: bool,
    /// Length in seconds, when the container states it.
    pub duration_s: Option<f64>,
    /// Number of frames, when the container states it.
    pub frames: Option<u64>,
}

/// The luma plane of one frame, rows without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Still {
    /// Picture width in pixels.
    pub width: usize,
    /// Picture height in pixels.
    pub height: usize,
    /// `width * height` samples.
    pub luma: Vec<u8>,
}

/// Open `path` and decode its first frame.
///
/// # Errors
/// `InvalidInput` when the file is missing, empty, no video, of a codec or
/// pixel format that is not supported, or when no frame in it can be decoded.
pub fn probe(path: &Path) -> Result<Probe> {
    let mut reader = FileReader::open(path, Wants::default())?;
    let (width, height) = first_frame(&mut reader, path)?;
    let (num, den) = reader.frame_rate();
    let info = &reader.info;
    Ok(Probe {
        container: info.container.to_owned(),
        codec: info.codec.to_owned(),
        pixel_format: info.pixel_format.to_owned(),
        width,
        height,
        fps: num as f64 / den as f64,
        fps_assumed: reader.times_are_assumed(),
        duration_s: reader.length_ns().map(|ns| ns as f64 * 1e-9),
        frames: info.frames,
    })
}

/// The first intact frame of `path` at or after `at_s` seconds, or its last.
///
/// # Errors
/// As [`probe`].
pub fn still(path: &Path, at_s: f64) -> Result<Still> {
    let mut reader = FileReader::open(path, Wants::default())?;
    let (mut width, mut height) = first_frame(&mut reader, path)?;
    let (num, den) = reader.time_base();
    let first = reader.pts().unwrap_or(0);
    let wanted = first.saturating_add((at_s.max(0.0) * den as f64 / num as f64) as i64);
    let mut luma = copy(&mut reader, width, height);
    while reader.pts().is_none_or(|pts| pts < wanted) {
        match reader.advance() {
            Event::Frame { corrupt: false } if reader.luma().is_ok() => {
                (width, height) = reader.size();
                luma = copy(&mut reader, width, height);
            }
            Event::End => break,
            _ => {}
        }
    }
    Ok(Still { width, height, luma })
}

fn first_frame(reader: &mut FileReader, path: &Path) -> Result<(usize, usize)> {
    let bad = |what: &str| Error::invalid(format!("{}: {what}", path.display()));
    loop {
        match reader.advance() {
            Event::Frame { corrupt: false } => {
                reader.luma().map_err(|e| bad(&e.message))?;
                return Ok(reader.size());
            }
            Event::End => return Err(bad("no frame in it can be decoded")),
            _ => {}
        }
    }
}

fn copy(reader: &mut FileReader, width: usize, height: usize) -> Vec<u8> {
    let Ok((data, stride)) = reader.luma() else { return Vec::new() };
    data.chunks(stride).take(height).flat_map(|row| row[..width.min(row.len())].iter().copied()).collect()
}

/// What came of decoding a whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Frames given out.
    pub frames: u64,
    /// Of those, frames that may build on a damaged one.
    pub doubtful: u64,
    /// Frames and packets lost, by reason.
    pub lost: BTreeMap<&'static str, u64>,
    /// Runs that broke: size or clock changed.
    pub gaps: u64,
}

/// Decode the whole of `path`.
///
/// # Errors
/// As [`probe`], except that a file without a decodable frame is told by its losses.
pub fn scan(path: &Path) -> Result<Scan> {
    let mut video = VideoRun::open(vec![path.to_owned()], EventTime(0), Wants::default())?;
    let mut found = Scan::default();
    loop {
        match video.next() {
            Next::Frame { doubtful, begins, .. } => {
                found.frames += 1;
                found.doubtful += u64::from(doubtful);
                found.gaps += u64::from(begins.is_some());
            }
            Next::Lost(loss) => *found.lost.entry(loss.reason.name()).or_default() += loss.count,
            Next::End => return Ok(found),
            Next::Gap { .. } | Next::Health(_) | Next::Idle { .. } | Next::Wait => {} // of live cameras only
        }
    }
}

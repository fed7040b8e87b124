//! Tracks of consecutive frames, in columns, and their wire format.
//!
//! A [`TrackBatch`] is the one item that crosses from a camera to its
//! junction: a few hundred milliseconds of frames. It travels between
//! processes as bytes, so encoding must be cheap and exact. Layout, little
//! endian: magic `STB1`, `u32` frames F, `u32` rows R, `u32` run; then the
//! columns `i64 frame_ns[F]`, `u64 frame_no[F]`, `u32 row_end[F]`,
//! `u32 track[R]`, `f32 box[4R]`, `f32 score[R]`, `u8 class[R]`, `u8 flags[R]`.
//! `STB2`, which live cameras send, has both clocks after them: `u8 quality`,
//! `i64 arrival_ns`, `i64 offset_ns` (the smallest value where the camera
//! tells no time), as of the last frame.
//! `smartstream.model.tracks` is the twin in Python.

use serde::{Deserialize, Serialize};

use crate::{BoxF, ClockQuality, ClockReading, Error, EventTime, Result, VehicleClass};

const MAGIC: &[u8; 4] = b"STB1";
const MAGIC_CLOCKS: &[u8; 4] = b"STB2";
const CLOCKS: usize = 17;
const HEADER: usize = 16;
const PER_FRAME: usize = 20;
const PER_ROW: usize = 26;

/// One track in one frame, as the tracker reports it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Track {
    /// Number within the run, never reused.
    pub id: u32,
    /// Normalised box in this frame.
    pub bbox: BoxF,
    /// Confidence, 0–1.
    pub score: f32,
    /// Class by the votes so far.
    pub class: VehicleClass,
    /// See [`Track::DOUBTFUL`].
    pub flags: u8,
}

impl Track {
    /// The identity may have passed to another road user in this frame (two
    /// blobs merged or one split). Rules treat proof across it as undecided.
    pub const DOUBTFUL: u8 = 1;
    /// No detection in this frame: the box is a prediction.
    pub const PREDICTED: u8 = 2;
    /// The class comes from the blob's size, not from a classifier.
    pub const CLASS_BY_SIZE: u8 = 4;
}

/// Tracks of consecutive frames of one camera run.
///
/// Frames without tracks are kept: they tell that the camera saw nobody.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrackBatch {
    /// Unbroken camera session the frames belong to.
    pub run: u32,
    /// Time of each frame, strictly rising.
    pub frame_time: Vec<EventTime>,
    /// Number of each frame in its run.
    pub frame_no: Vec<u64>,
    /// End of each frame's rows in `rows`.
    pub row_end: Vec<u32>,
    /// Rows of all frames, frame by frame.
    pub rows: Vec<Track>,
    /// Both clocks at the last frame; of a live camera only.
    pub clock: Option<ClockReading>,
}

impl TrackBatch {
    /// An empty batch of `run`.
    pub fn new(run: u32) -> Self {
        Self { run, ..Self::default() }
    }

    /// Append one frame with its tracks.
    pub fn push(&mut self, time: EventTime, frame_no: u64, tracks: &[Track]) {
        self.frame_time.push(time);
        self.frame_no.push(frame_no);
        self.rows.extend_from_slice(tracks);
        self.row_end.push(self.rows.len() as u32);
    }

    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.frame_time.len()
    }

    /// Time, number and tracks of frame `i`; panics when there is no such frame.
    pub fn frame(&self, i: usize) -> (EventTime, u64, &[Track]) {
        let start = if i == 0 { 0 } else { self.row_end[i - 1] as usize };
        (self.frame_time[i], self.frame_no[i], &self.rows[start..self.row_end[i] as usize])
    }

    /// The wire form; see the module's text.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (f, r) = (self.frames(), self.rows.len());
        let mut out = Vec::with_capacity(HEADER + f * PER_FRAME + r * PER_ROW);
        out.extend_from_slice(if self.clock.is_some() { MAGIC_CLOCKS } else { MAGIC });
        for n in [f as u32, r as u32, self.run] {
            out.extend_from_slice(&n.to_le_bytes());
        }
        self.frame_time.iter().for_each(|t| out.extend_from_slice(&t.0.to_le_bytes()));
        self.frame_no.iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
        self.row_end.iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
        self.rows.iter().for_each(|t| out.extend_from_slice(&t.id.to_le_bytes()));
        for t in &self.rows {
            for v in [t.bbox.x1, t.bbox.y1, t.bbox.x2, t.bbox.y2] {
                out.extend_from_slice(&v.to_le_bytes());
            }
        }
        self.rows.iter().for_each(|t| out.extend_from_slice(&t.score.to_le_bytes()));
        out.extend(self.rows.iter().map(|t| t.class as u8));
        out.extend(self.rows.iter().map(|t| t.flags));
        if let Some(clock) = &self.clock {
            out.push(clock.quality as u8);
            out.extend_from_slice(&clock.arrival_ns.to_le_bytes());
            out.extend_from_slice(&clock.offset_ns.unwrap_or(i64::MIN).to_le_bytes());
        }
        out
    }

    /// Read the wire form back.
    ///
    /// # Errors
    /// `InvalidInput` when the bytes are not a whole, consistent batch.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let bad = |what: &str| Error::invalid(format!("track batch: {what} ({} bytes)", bytes.len()));
        let with_clocks = bytes.get(..4) == Some(MAGIC_CLOCKS);
        if bytes.len() < HEADER || !(with_clocks || &bytes[..4] == MAGIC) {
            return Err(bad("expected magic STB1 or STB2"));
        }
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let (f, r, run) = (word(4) as usize, word(8) as usize, word(12));
        let expected = f
            .checked_mul(PER_FRAME)
            .zip(r.checked_mul(PER_ROW))
            .map(|(a, b)| HEADER + a + b + if with_clocks { CLOCKS } else { 0 });
        if expected != Some(bytes.len()) {
            return Err(bad("length does not match its counts"));
        }
        let mut rest = &bytes[HEADER..];
        let mut take = |n: usize| {
            let (head, tail) = rest.split_at(n);
            rest = tail;
            head
        };
        let frame_time = words8(take(8 * f)).map(|w| EventTime(i64::from_le_bytes(w))).collect();
        let frame_no = words8(take(8 * f)).map(u64::from_le_bytes).collect();
        let row_end: Vec<u32> = words4(take(4 * f)).map(u32::from_le_bytes).collect();
        let (ids, boxes, scores) = (take(4 * r), take(16 * r), take(4 * r));
        let (classes, flags) = (take(r), take(r));
        if row_end.last().copied().unwrap_or(0) as usize != r || row_end.windows(2).any(|w| w[0] > w[1]) {
            return Err(bad("row ends are not rising to the row count"));
        }
        if classes.iter().any(|&code| VehicleClass::from_code(code).is_none()) {
            return Err(bad("unknown class code"));
        }
        let numbers = words4(ids).map(u32::from_le_bytes).zip(words4(scores).map(f32::from_le_bytes));
        let codes = classes.iter().map(|&code| VehicleClass::from_code(code).unwrap_or_default()).zip(flags);
        let rows =
            numbers.zip(boxes.chunks_exact(16)).zip(codes).map(|(((id, score), bytes), (class, &flags))| {
                let side =
                    |at: usize| f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
                let bbox = BoxF { x1: side(0), y1: side(4), x2: side(8), y2: side(12) };
                Track { id, bbox, score, class, flags }
            });
        let rows = rows.collect();
        let clock = if with_clocks {
            let quality = ClockQuality::from_code(take(1)[0]).ok_or_else(|| bad("unknown clock quality"))?;
            let times: Vec<i64> = words8(take(16)).map(i64::from_le_bytes).collect();
            let offset_ns = Some(times[1]).filter(|&ns| ns != i64::MIN);
            Some(ClockReading { quality, arrival_ns: times[0], offset_ns })
        } else {
            None
        };
        Ok(Self { run, frame_time, frame_no, row_end, rows, clock })
    }
}

fn words4(bytes: &[u8]) -> impl Iterator<Item = [u8; 4]> + '_ {
    bytes.chunks_exact(4).map(|c| [c[0], c[1], c[2], c[3]])
}

fn words8(bytes: &[u8]) -> impl Iterator<Item = [u8; 8]> + '_ {
    bytes.chunks_exact(8).map(|c| [c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_round_trip(clock in proptest::option::of((1u8..4, any::<i64>(), proptest::option::of(0i64..9))), frames in proptest::collection::vec(proptest::collection::vec((0u32..9, 0f32..1.0, 0u8..7, 0u8..8), 0..5), 0..6)) {
            let mut batch = TrackBatch::new(3);
            for (i, rows) in frames.iter().enumerate() {
                let tracks: Vec<Track> = rows.iter().map(|&(id, x, c, flags)| Track {
                    id, bbox: BoxF { x1: x, y1: -x, x2: x + 1.0, y2: x * 2.0 }, score: x,
                    class: VehicleClass::from_code(c).unwrap(), flags }).collect();
                batch.push(EventTime(i as i64 * 40_000_000), i as u64, &tracks);
            }
            batch.clock = clock.map(|(quality, arrival_ns, offset_ns)| ClockReading {
                quality: ClockQuality::from_code(quality).unwrap(), arrival_ns, offset_ns });
            prop_assert_eq!(TrackBatch::from_bytes(&batch.to_bytes()).unwrap(), batch);
        }

        #[test]
        fn foreign_bytes_are_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = TrackBatch::from_bytes(&bytes);
            for magic in [MAGIC, MAGIC_CLOCKS] {
                let _ = TrackBatch::from_bytes(&[magic, bytes.as_slice()].concat());
            }
        }
    }
}

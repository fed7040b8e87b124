//! One open file: packets in, decoded frames out, damage noticed.

use std::collections::VecDeque;
use std::path::Path;

use ss_model::{Error, Reduced, Result};
use xxhash_rust::xxh3::xxh3_64;

use crate::av::{Complaints, Decoder, Demuxer, Frame, Packet, Read, Received, StreamInfo, Wants};
use crate::planes::{Colours, Planes};

/// Read failures in a row after which the rest of a file is given up.
const MAX_READ_FAILURES: u32 = 50;
/// Where packets have no decoding times, a step back of so many seconds is another clock, not the order of pictures.
const BACK_S: i64 = 1;
/// Key frames remembered, so that a frame still in the decoder finds its own.
const KEYS: usize = 8;

const DAY_NS: i64 = 86_400_000_000_000;

/// What happened next in a file.
pub enum Event {
    /// [`FileReader::frame`] holds the next picture.
    Frame {
        /// Marked by the decoder as damaged or concealed.
        corrupt: bool,
    },
    /// A packet that the decoder refused.
    Undecodable(String),
    /// A packet that could not be read.
    Unreadable(String),
    /// Nothing follows.
    End,
}

/// A place where decoding may begin: times of a key frame's packet.
pub type KeyPoint = (i64, i64);

/// An open file and its decoder.
pub struct FileReader {
    pub info: StreamInfo,
    demuxer: Demuxer,
    decoder: Decoder,
    packet: Packet,
    frame: Frame,
    planes: Planes,
    keys: VecDeque<KeyPoint>,
    failures: u32,
    draining: bool,
    /// Frames decoded so far.
    pub decoded: u64,
    /// Packets read so far.
    pub packets: u64,
    /// Signs of damage so far: refused packets, marked frames, complaints in libav's log.
    pub damage: u64,
    /// Outcomes of [`FileReader::advance`] so far.
    pub events: u64,
    /// Timestamp of the latest damaged packet that a picture may build on.
    pub doubt: Option<i64>,
    /// What libav's log said about the latest event.
    pub complaint: String,
    /// Byte of the file up to which packets were read.
    pub reached: i64,
    /// Byte at which their times stepped back last: those before it are of another clock.
    pub clock_from: i64,
    last_time: Option<i64>,
    first_pts: Option<i64>,
}

impl FileReader {
    /// Open `path` and a decoder for its video.
    ///
    /// # Errors
    /// `InvalidInput` with the path, what was found and what was expected.
    pub fn open(path: &Path, wants: Wants) -> Result<Self> {
        let bad = |what: String| Error::invalid(format!("{}: {what}", path.display()));
        match std::fs::metadata(path) {
            Err(e) => return Err(bad(format!("cannot be opened ({e})"))),
            Ok(m) if m.is_dir() => return Err(bad("is a folder, expected a video file".into())),
            Ok(m) if m.is_file() && m.len() == 0 => {
                return Err(bad("is empty, expected a video file".into()));
            }
            Ok(_) => {}
        }
        let demuxer = Demuxer::open(path)?;
        let info = demuxer.info();
        if info.container.starts_with("image2") || info.container.ends_with("_pipe") {
            return Err(bad(format!("is a still picture ({}), expected a video file", info.container)));
        }
        let decoder = Decoder::open(&demuxer, wants)
            .map_err(|e| Error::new(e.kind, format!("{}: {}", path.display(), e.message)))?;
        Ok(Self {
            info,
            demuxer,
            decoder,
            packet: Packet::new()?,
            frame: Frame::new()?,
            planes: Planes::new(wants.colour),
            keys: VecDeque::with_capacity(KEYS),
            failures: 0,
            draining: false,
            decoded: 0,
            packets: 0,
            damage: 0,
            events: 0,
            doubt: None,
            complaint: String::new(),
            reached: 0,
            clock_from: 0,
            last_time: None,
            first_pts: None,
        })
    }

    /// Decode up to the next event. Never blocks for ever: every round reads
    /// a packet, takes a picture or ends.
    pub fn advance(&mut self) -> Event {
        let complaints = Complaints::count();
        let event = self.step();
        let complained = Complaints::count() - complaints;
        self.complaint.clear();
        if complained > 0 {
            self.complaint = Complaints::latest();
        }
        let damaged = match event {
            Event::Frame { corrupt } => corrupt,
            Event::Undecodable(_) | Event::Unreadable(_) => true,
            Event::End => return event,
        };
        self.events += 1;
        self.damage += complained + u64::from(damaged);
        if complained > 0 || damaged {
            // The packet sent last is the damaged one or follows it.
            self.doubt = Some(self.packet.pts().unwrap_or(i64::MIN));
        } else if let Some(damaged_at) = self.doubt
            && self.frame.is_key()
            && self.frame.pts().is_none_or(|pts| pts > damaged_at)
        {
            self.doubt = None;
        }
        event
    }

    /// The current picture may build on a damaged one.
    pub fn doubtful(&self) -> bool {
        self.doubt.is_some()
    }

    /// Timestamp of the file's first packet, where packets before the current
    /// picture were lost: the file's time begins there.
    pub fn lost_start(&self) -> Option<i64> {
        self.first_pts.filter(|&first| self.damage > 0 && self.pts().is_some_and(|pts| first <= pts))
    }

    fn step(&mut self) -> Event {
        loop {
            match self.decoder.receive(&mut self.frame) {
                Received::Frame => {
                    self.decoded += 1;
                    return Event::Frame { corrupt: self.frame.is_corrupt() };
                }
                Received::End => return Event::End,
                // The decoder moves on past what it cannot decode, so this ends.
                Received::Failed(what) => return Event::Undecodable(what),
                Received::NeedsPacket if self.draining => return Event::End,
                Received::NeedsPacket => {}
            }
            match self.demuxer.read(&mut self.packet) {
                Read::Packet => {
                    self.failures = 0;
                    self.packets += 1;
                    if self.packets == 1 {
                        self.first_pts = self.packet.pts();
                    }
                    self.remember_key();
                    self.follow_bytes();
                    if let Err(what) = self.decoder.send(&self.packet) {
                        return Event::Undecodable(what);
                    }
                }
                Read::End => self.drain(),
                Read::Failed(what) => {
                    self.failures += 1;
                    if self.failures >= MAX_READ_FAILURES {
                        self.drain();
                    }
                    return Event::Unreadable(what);
                }
            }
        }
    }

    fn drain(&mut self) {
        self.draining = true;
        self.decoder.drain();
    }

    fn remember_key(&mut self) {
        if self.packet.is_key()
            && let Some(dts) = self.packet.dts()
        {
            if self.keys.len() == KEYS {
                self.keys.pop_front();
            }
            self.keys.push_back((self.packet.pts().unwrap_or(dts), dts));
        }
    }

    /// Note how far the file was read, and where a clock in it starts again.
    fn follow_bytes(&mut self) {
        let Some(at) = self.packet.position() else { return };
        let (num, den) = self.info.time_base;
        let (now, slack) = match self.packet.dts() {
            Some(dts) => (Some(dts), 0),
            None => (self.packet.pts(), BACK_S * den / num),
        };
        if now.zip(self.last_time).is_some_and(|(now, before)| now.saturating_add(slack) < before) {
            self.clock_from = at;
        }
        self.last_time = now.or(self.last_time);
        self.reached = self.reached.max(at);
    }

    /// Timestamp of the current frame; raw bitstreams have none, so their
    /// frames are counted.
    pub fn pts(&self) -> Option<i64> {
        if self.info.timestamps { self.frame.pts() } else { Some(self.decoded as i64 - 1) }
    }

    /// Seconds per tick of [`FileReader::pts`]; of a raw bitstream it is known
    /// after the first frame, and is the frame rate that the stream states.
    pub fn time_base(&self) -> (i64, i64) {
        if self.info.timestamps {
            return self.info.time_base;
        }
        let (num, den) = self.frame_rate();
        (den, num)
    }

    /// Nominal nanoseconds from frame to frame.
    pub fn interval_ns(&self) -> i64 {
        let (num, den) = self.frame_rate();
        (i128::from(den) * 1_000_000_000 / i128::from(num)) as i64
    }

    /// How long the file says it is, in nanoseconds. A recorder that lost
    /// power leaves the count of frames behind, but not their duration; a
    /// count of more than a day is damage.
    pub fn length_ns(&self) -> Option<i64> {
        let (num, den) = self.info.time_base;
        let stated = self.info.duration.and_then(|ticks| {
            i64::try_from(i128::from(ticks) * i128::from(num) * 1_000_000_000 / i128::from(den)).ok()
        });
        let frames = i64::try_from(self.info.frames.unwrap_or(0)).unwrap_or(i64::MAX);
        let counted = frames.checked_mul(self.interval_ns()).filter(|&ns| ns <= DAY_NS);
        // The edit list of an MP4 shortens its duration, and not its count.
        let counted = counted.filter(|_| stated.is_none() || !self.info.container.starts_with("mov"));
        stated.max(counted).filter(|&ns| ns > 0)
    }

    /// Nominal frames per second, as a fraction.
    pub fn frame_rate(&self) -> (i64, i64) {
        let stated = self.info.frame_rate.filter(plausible);
        let coded = self.decoder.frame_rate().filter(plausible);
        if self.info.timestamps { stated.or(coded) } else { coded.or(stated) }.unwrap_or((25, 1))
    }

    /// Times are counted by a rate that nobody states: of a raw bitstream
    /// libav says 25 a second where the stream itself says nothing.
    pub fn times_are_assumed(&self) -> bool {
        !self.info.timestamps && !self.decoder.frame_rate().as_ref().is_some_and(plausible)
    }

    /// Width and height of the current frame.
    pub fn size(&self) -> (usize, usize) {
        self.frame.size()
    }

    /// Luma bytes of the current frame and their stride.
    pub fn luma(&mut self) -> Result<(&[u8], usize)> {
        self.planes.luma(&self.frame)
    }

    /// The current frame with its chroma, which is there only when it was wanted, and reduced, where
    /// that was wanted and could be done.
    pub fn view(&mut self) -> Result<(Colours<'_>, Option<Reduced<'_>>)> {
        Ok((self.planes.colours(&self.frame)?, self.decoder.reduced()))
    }

    /// Fingerprint of the current frame's luma; 0 when it has none.
    pub fn fingerprint(&mut self) -> u64 {
        let (width, height) = self.frame.size();
        let Ok((data, stride)) = self.planes.luma(&self.frame) else { return 0 };
        data.chunks(stride).take(height).fold(0, |h, row| {
            // Rows are chained, so that padding between them does not count.
            h.rotate_left(5) ^ xxh3_64(&row[..width.min(row.len())])
        })
    }

    /// Where decoding may begin to reach the frame at `pts`.
    pub fn key_before(&self, pts: Option<i64>) -> Option<KeyPoint> {
        let pts = pts?;
        self.keys.iter().rev().find(|k| k.0 <= pts).copied()
    }

    /// Go to the key frame `key` of a file just opened, and decode up to the
    /// frame at `pts`. False when it is not found there: the reader is then
    /// of no more use.
    pub fn seek(&mut self, key: KeyPoint, pts: i64) -> bool {
        if !self.demuxer.seek(key.1) {
            return false;
        }
        loop {
            match self.advance() {
                Event::Frame { .. } => match self.frame.pts() {
                    Some(at) if at == pts => return true,
                    Some(at) if at > pts => return false,
                    _ => {}
                },
                Event::End => return false,
                Event::Undecodable(_) | Event::Unreadable(_) => {}
            }
        }
    }
}

/// Of frames per second: from one a minute to 240.
fn plausible(&(num, den): &(i64, i64)) -> bool {
    num >= den.div_euclid(60).max(1) && num <= 240 * den
}

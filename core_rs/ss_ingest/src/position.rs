//! Where a run stands, so that another process can go on from there.

use std::path::Path;

use serde::{Deserialize, Serialize};
use ss_model::{Error, EventTime, Result};

use crate::av::Wants;
use crate::next::RunBreak;
use crate::reader::{Event, FileReader, KeyPoint};
use crate::timeline::{TimeMap, Timeline};

/// A stretch of one file whose timestamps have one relation to event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// Index of the file in its list.
    pub file: usize,
    /// Number of the run.
    pub run: u32,
    /// Event time of its first frame.
    pub since: EventTime,
    /// Byte of the file at which its clock begins: one that started again says the same times twice.
    pub begins: i64,
    /// A raw bitstream: its packets have no times and are counted.
    pub raw: bool,
    /// What its timestamps stand for.
    pub map: TimeMap,
}

/// Everything that decides which frame comes next and when it was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoPosition {
    /// Index of the file in its list.
    pub file: usize,
    /// Frames decoded in that file.
    pub decoded: u64,
    /// Frames and losses met in that file.
    pub events: u64,
    /// Packets read in that file.
    pub packets: u64,
    /// Timestamp of the last of them, in the file's ticks.
    pub pts: Option<i64>,
    /// Where decoding may begin to reach it.
    pub key: Option<KeyPoint>,
    /// Fingerprint of its luma; 0 when not taken.
    pub fingerprint: u64,
    /// Signs of damage met in that file.
    pub damage: u64,
    /// Timestamp of the latest damage that the next frame may build on.
    pub doubt: Option<i64>,
    /// Width and height of the last frame given out; 0 before the first.
    pub size: (usize, usize),
    /// Number of the run.
    pub run: u32,
    /// Frames decoded in this run.
    pub frame_no: u64,
    /// Frames decoded in all files.
    pub total: u64,
    /// Why the next frame begins a run, when it does.
    pub broken: Option<RunBreak>,
    /// Live: it was told as lost, and has not come back yet.
    pub lost: bool,
    /// Live: its clock was told to be wrong, and not yet to be right.
    pub clock_wrong: bool,
    /// Event time before which the next file, or frame of a live camera, cannot come.
    pub not_before: Option<EventTime>,
    /// Event times so far.
    pub timeline: Timeline,
    /// Byte of that file up to which packets were read.
    pub reached: i64,
    /// Byte at which the clock of its packets began.
    pub clock_from: i64,
    /// Stretches of files with one relation of timestamps to event time, the
    /// latest ones: where clips are cut from.
    pub stretches: Vec<Stretch>,
}

/// How a position was reached again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// Frames decoded to get there.
    pub redecoded: u64,
    /// By way of a key frame, not from the file's start.
    pub sought: bool,
}

impl VideoPosition {
    /// Before the first frame of the first file, which is taken at `start`.
    pub fn at_start(start: EventTime) -> Self {
        Self {
            file: 0,
            decoded: 0,
            events: 0,
            packets: 0,
            pts: None,
            key: None,
            fingerprint: 0,
            damage: 0,
            doubt: None,
            size: (0, 0),
            run: 0,
            frame_no: 0,
            total: 0,
            broken: None,
            lost: false,
            clock_wrong: false,
            not_before: None,
            timeline: Timeline::new(start),
            reached: 0,
            clock_from: 0,
            stretches: Vec::new(),
        }
    }

    /// When the next frame is due.
    pub fn due(&self) -> EventTime {
        self.not_before.unwrap_or_else(|| self.timeline.next_time())
    }

    /// Frames and losses met so far, comparable within one list of files.
    pub fn progress(&self) -> (usize, u64) {
        (self.file, self.events)
    }

    /// Open `path` and decode up to this position.
    ///
    /// Seeking is tried where nothing was damaged before (a decoder conceals
    /// damage differently when it starts elsewhere) and is believed only when
    /// the frame reached has the fingerprint of the one left.
    pub(crate) fn reopen(&self, path: &Path, wants: Wants) -> Result<(FileReader, Resumed)> {
        if let Some(reader) = self.seek(path, wants)? {
            let redecoded = reader.decoded;
            return Ok((self.settle(reader), Resumed { redecoded, sought: true }));
        }
        let mut reader = FileReader::open(path, wants)?;
        while reader.events < self.events {
            if let Event::End = reader.advance() {
                return Err(Error::data_loss(format!(
                    "{}: ends after {} frames and losses, expected the {} met before the restart",
                    path.display(),
                    reader.events,
                    self.events
                )));
            }
        }
        Ok((self.settle(reader), Resumed { redecoded: self.decoded, sought: false }))
    }

    fn seek(&self, path: &Path, wants: Wants) -> Result<Option<FileReader>> {
        let (Some(key), Some(pts)) = (self.key, self.pts) else { return Ok(None) };
        if self.damage > 0 || self.fingerprint == 0 {
            return Ok(None);
        }
        let mut reader = FileReader::open(path, wants)?;
        let found = reader.info.timestamps && reader.seek(key, pts);
        // A clock that started again says the same times twice.
        let found = found && (self.clock_from..=self.reached).contains(&reader.reached);
        Ok((found && reader.fingerprint() == self.fingerprint).then_some(reader))
    }

    /// The reader's own counts as they were when the position was taken.
    fn settle(&self, mut reader: FileReader) -> FileReader {
        reader.decoded = self.decoded;
        reader.packets = self.packets;
        reader.damage = self.damage;
        reader.doubt = self.doubt;
        reader.events = self.events;
        reader.reached = self.reached;
        reader.clock_from = self.clock_from;
        reader
    }
}

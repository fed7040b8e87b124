//! A list of consecutive files as one run of frames with event times.

use std::path::PathBuf;
use std::sync::Arc;

use ss_model::{Error, EventTime, LumaFrame, Result};

use crate::av::Wants;
use crate::loss::{Loss, LossReason};
use crate::next::{Next, RunBreak};
use crate::position::{Resumed, Stretch, VideoPosition};
use crate::reader::{Event, FileReader};
use crate::ring::Ring;
use crate::timeline::Placed;

/// Frames of consecutive files.
pub struct VideoRun {
    files: Vec<PathBuf>,
    wants: Wants,
    /// How long each file says it is, in nanoseconds.
    lengths: Vec<Option<i64>>,
    reader: Option<FileReader>,
    at: VideoPosition,
    ring: Option<Arc<Ring>>,
}

/// Stretches remembered: a clip reaches back over minutes, not over days.
const STRETCHES: usize = 16;

/// Event time and standing of a decoded frame.
struct Taken {
    time: EventTime,
    guessed: bool,
}

impl VideoRun {
    /// Frames of `files`, the first one taken at `start`.
    ///
    /// # Errors
    /// `InvalidInput` when the list is empty or one of the files is missing,
    /// empty or no video.
    pub fn open(files: Vec<PathBuf>, start: EventTime, wants: Wants) -> Result<Self> {
        let lengths = lengths(&files)?;
        Ok(Self { files, wants, lengths, reader: None, at: VideoPosition::at_start(start), ring: None })
    }

    /// Frames of `files` after `position`: bit for bit those that an
    /// uninterrupted run would have given.
    ///
    /// # Errors
    /// As [`VideoRun::open`]; `DataLoss` when a file is shorter than it was.
    pub fn resume(files: Vec<PathBuf>, position: &VideoPosition, wants: Wants) -> Result<(Self, Resumed)> {
        let lengths = lengths(&files)?;
        let mut how = Resumed { redecoded: 0, sought: false };
        let mut reader = None;
        if position.events > 0
            && let Some(path) = files.get(position.file)
        {
            let reopened = position.reopen(path, wants)?;
            (reader, how) = (Some(reopened.0), reopened.1);
        }
        Ok((Self { files, wants, lengths, reader, at: position.clone(), ring: None }, how))
    }

    /// Tell `ring` from now on which time lies where in the files.
    pub fn tell(&mut self, ring: Arc<Ring>) {
        ring.follow(&self.at);
        self.ring = Some(ring);
    }

    /// Number of the current run.
    pub fn run(&self) -> u32 {
        self.at.run
    }

    /// Nominal nanoseconds from frame to frame.
    pub fn interval_ns(&self) -> i64 {
        self.at.timeline.interval_ns()
    }

    /// When the next frame is due.
    pub fn next_time(&self) -> EventTime {
        self.at.timeline.next_time()
    }

    /// Frames decoded in all files, those not given out included.
    pub fn total(&self) -> u64 {
        self.at.total
    }

    /// Where the run stands after what [`VideoRun::next`] gave last. With
    /// `fingerprint` it also tells what the last frame looked like, which is
    /// needed to reach it by seeking.
    pub fn position(&mut self, fingerprint: bool) -> VideoPosition {
        let mut position = self.at.clone();
        if fingerprint && let Some(reader) = self.reader.as_mut().filter(|r| r.decoded > 0) {
            position.key = reader.key_before(position.pts);
            position.fingerprint = reader.fingerprint();
        }
        position
    }

    /// Decode up to what comes next.
    #[expect(clippy::should_implement_trait, reason = "it lends: a frame lives until the next call")]
    pub fn next(&mut self) -> Next<'_> {
        loop {
            let event = match &mut self.reader {
                Some(reader) => reader.advance(),
                None => match self.open_file() {
                    None => return Next::End,
                    Some(Ok(())) => continue,
                    Some(Err(loss)) => return Next::Lost(loss),
                },
            };
            self.follow_reader();
            match event {
                Event::Undecodable(what) => {
                    let detail = format!("{what}{}", self.complaint());
                    return Next::Lost(self.loss(LossReason::UndecodablePacket, detail, 1));
                }
                Event::Unreadable(what) => {
                    return Next::Lost(self.loss(LossReason::UnreadablePacket, what, 1));
                }
                Event::End => {
                    if let Some(loss) = self.finish_file() {
                        return Next::Lost(loss);
                    }
                }
                Event::Frame { corrupt } => {
                    return match self.take_frame(corrupt) {
                        Ok(taken) => self.give(&taken),
                        Err(loss) => Next::Lost(loss),
                    };
                }
            }
        }
    }

    fn follow_reader(&mut self) {
        if let Some(reader) = &self.reader {
            self.at.decoded = reader.decoded;
            self.at.events = reader.events;
            self.at.packets = reader.packets;
            self.at.damage = reader.damage;
            self.at.doubt = reader.doubt;
            self.at.reached = reader.reached;
            self.at.clock_from = reader.clock_from;
        }
    }

    fn loss(&self, reason: LossReason, detail: String, count: u64) -> Loss {
        let path = self.files.get(self.at.file);
        let name = path.and_then(|p| p.file_name()).unwrap_or_default();
        let place = name.to_string_lossy().into_owned();
        Loss { reason, at: self.at.timeline.next_time(), place, detail, count }
    }

    /// What libav's log added to the latest event.
    fn complaint(&self) -> String {
        match &self.reader {
            Some(reader) if !reader.complaint.is_empty() => format!(" ({})", reader.complaint),
            _ => String::new(),
        }
    }

    /// Open the file that is next; `None` when there is none.
    fn open_file(&mut self) -> Option<std::result::Result<(), Loss>> {
        let path = self.files.get(self.at.file)?;
        match FileReader::open(path, self.wants) {
            Ok(reader) => {
                self.reader = Some(reader);
                Some(Ok(()))
            }
            Err(e) => {
                let loss = self.loss(LossReason::FileUnreadable, e.message, 1);
                self.at.broken = Some(RunBreak::FileLost);
                self.leave_file(true);
                Some(Err(loss))
            }
        }
    }

    /// What the file that has ended should have had.
    fn finish_file(&mut self) -> Option<Loss> {
        let reader = self.reader.as_ref()?;
        let expected_ns = self.lengths[self.at.file].unwrap_or(0);
        let found_ns = self.at.timeline.next_time().0 - self.at.timeline.start().0;
        let loss = if reader.decoded == 0 {
            self.at.broken = Some(RunBreak::FileLost);
            Some((LossReason::FileUnreadable, "no frame in it could be decoded".to_owned()))
        } else if let Some(expected) = reader.info.frames {
            // What was left out on purpose (frames dropped in an AVI, an edit list's end) makes a file no shorter.
            let (found, half) = (reader.packets, reader.interval_ns() / 2);
            (found < expected && found_ns + half < expected_ns)
                .then(|| (LossReason::Truncated, format!("ends after {found} of {expected} frames")))
        } else {
            // A stated length is often rounded: a second and two percent are no loss.
            let (expected, found) = (expected_ns, found_ns);
            let seconds = |ns: i64| ns as f64 * 1e-9;
            (expected - found > 1_000_000_000 + expected / 50).then(|| {
                let detail = format!("ends after {:.1} of {:.1} s", seconds(found), seconds(expected));
                (LossReason::Truncated, detail)
            })
        };
        // One file: what its header states may be as wrong as its length.
        let loss = loss.map(|(reason, detail)| self.loss(reason, detail, 1));
        self.leave_file(loss.is_some());
        loss
    }

    /// Go on to the next file; one cut short keeps its place in time.
    fn leave_file(&mut self, cut_short: bool) {
        let opened = self.reader.as_ref().is_some_and(|r| r.decoded > 0);
        let timeline = &self.at.timeline;
        let start = if opened { timeline.start() } else { self.next_start() };
        let length = self.lengths[self.at.file].filter(|_| cut_short);
        self.at.not_before = length.map(|l| EventTime(start.0.saturating_add(l)));
        self.reader = None;
        self.at.file += 1;
        self.at.decoded = 0;
        self.at.events = 0;
        self.at.packets = 0;
        self.at.damage = 0;
        self.at.doubt = None;
        self.at.reached = 0;
        self.at.clock_from = 0;
        self.at.pts = None;
    }

    fn next_start(&self) -> EventTime {
        self.at.timeline.next_time().max(self.at.not_before.unwrap_or(EventTime::MIN))
    }

    /// Count the frame just decoded and find its time.
    fn take_frame(&mut self, corrupt: bool) -> std::result::Result<Taken, Loss> {
        let Some(reader) = &mut self.reader else {
            return Err(self.loss(LossReason::FileUnreadable, "no file is open".into(), 1));
        };
        if reader.decoded == 1 {
            let first = reader.lost_start();
            let not_before = self.at.not_before.take();
            self.at.timeline.begin_file(reader.time_base(), reader.interval_ns(), first, not_before);
        }
        let pts = reader.pts();
        let pixels = reader.luma().err();
        self.at.pts = pts;
        self.at.frame_no += 1;
        self.at.total += 1;
        let due = self.at.timeline.next_time();
        let lost = |run: &Self, reason, detail: &str| Loss { at: due, ..run.loss(reason, detail.into(), 1) };
        let (time, guessed) = match self.at.timeline.place(pts) {
            Placed::At(time) => (time, false),
            Placed::Guessed(time) => (time, true),
            Placed::Jumped(time) => {
                self.at.broken = Some(RunBreak::TimeJump);
                (time, false)
            }
            Placed::Duplicate => {
                return Err(lost(self, LossReason::DuplicateTime, "same timestamp as the frame before"));
            }
            Placed::Backward => {
                return Err(lost(self, LossReason::BackwardTime, "timestamp before the frame before"));
            }
            Placed::Ahead => {
                return Err(lost(self, LossReason::TimeAhead, "timestamp more than 10 s ahead"));
            }
        };
        if corrupt {
            let detail = format!("damaged picture{}", self.complaint());
            return Err(lost(self, LossReason::CorruptFrame, &detail));
        }
        if let Some(e) = pixels {
            return Err(lost(self, LossReason::PixelFormat, &e.message));
        }
        let assumed = self.reader.as_ref().is_some_and(FileReader::times_are_assumed);
        Ok(Taken { time, guessed: guessed || assumed })
    }

    /// Note where the frame at `since` lies when its timestamps mean
    /// something else than those before it.
    fn follow_stretch(&mut self, since: EventTime) {
        let (file, run) = (self.at.file, self.at.run);
        let raw = self.reader.as_ref().is_some_and(|r| !r.info.timestamps);
        let Some(map) = self.at.timeline.map() else { return };
        let known = self.at.stretches.last().filter(|s| s.file == file);
        if known.is_some_and(|s| s.run == run && s.map == map) {
            return;
        }
        let begins = match known {
            None => 0,
            Some(same) if same.map.time_of(map.pts) == map.time => same.begins,
            Some(_) => self.at.clock_from,
        };
        if self.at.stretches.len() == STRETCHES {
            self.at.stretches.remove(0);
        }
        self.at.stretches.push(Stretch { file, run, since, begins, raw, map });
        if let Some(ring) = &self.ring {
            ring.follow(&self.at);
        }
    }

    /// Lend the frame just taken.
    fn give(&mut self, taken: &Taken) -> Next<'_> {
        let Some(reader) = &mut self.reader else { return Next::End };
        let (width, height) = reader.size();
        let doubtful = reader.doubtful();
        if self.at.size != (0, 0) && self.at.size != (width, height) {
            self.at.broken = Some(RunBreak::SizeChange);
        }
        self.at.size = (width, height);
        let begins = self.at.broken.take();
        if begins.is_some() {
            self.at.run += 1;
            self.at.frame_no = 1;
        }
        self.follow_stretch(taken.time);
        if let Some(ring) = &self.ring {
            ring.reach(self.at.reached);
        }
        let Some(reader) = &mut self.reader else { return Next::End };
        // Checked when the frame was taken.
        let (((data, stride), chroma), reduced) = reader.view().unwrap_or((((&[], 0), None), None));
        let number = self.at.frame_no - 1;
        let frame = LumaFrame { data, stride, width, height, time: taken.time, number, reduced };
        Next::Frame { frame, chroma, doubtful, guessed: taken.guessed, begins }
    }
}

/// Open every file once: a wrong list is refused before anything runs.
fn lengths(files: &[PathBuf]) -> Result<Vec<Option<i64>>> {
    if files.is_empty() {
        return Err(Error::invalid("no video file given"));
    }
    files.iter().map(|path| Ok(FileReader::open(path, Wants::default())?.length_ns())).collect()
}

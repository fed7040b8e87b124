//! The sequence decode → detect → track, a function of its input alone.

use std::sync::Arc;
use std::time::Duration;

use ss_ingest::live::{Health, LiveRun};
use ss_ingest::{Loss, Next, Ring, VideoPosition, VideoRun};
use ss_model::{EventTime, Result, Track, TrackBatch};
use ss_vision::lamps::{LampChange, LampReader};
use ss_vision::sight::{Sight, SightChange, SightState};

use crate::config::CameraConfig;
use crate::counts::Counts;
use crate::hub::Detect;
use crate::source::Source;
use crate::vision::{Vision, VisionState};

/// Most rows in one batch, so that an item of the stream stays small.
const MAX_ROWS: usize = 1000;
/// Losses after which a step closes although no frame came.
const MAX_LOSSES: u64 = 250;

/// Something a camera has to say.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// Tracks of consecutive frames.
    Tracks {
        /// Time of the first frame.
        first: EventTime,
        /// Time of the last.
        last: EventTime,
        /// A [`TrackBatch`] in its wire form.
        batch: Vec<u8>,
    },
    /// What the lamps of its signal heads show.
    Lamps {
        /// Changes found since the last such item.
        changes: Vec<LampChange>,
        /// Nothing at or before this instant will be added.
        settled: EventTime,
    },
    /// Frames or packets lost.
    Dead(Loss),
    /// The run broke; the next frame belongs to another.
    Gap {
        /// The run that broke.
        run: u32,
        /// When its next frame was due.
        at: EventTime,
        /// Why.
        reason: &'static str,
    },
    /// A live camera's condition changed.
    Health(Health),
    /// What a camera sees of its street changed.
    Sight(SightChange),
    /// A live camera is silent and shall hold nobody up until it speaks again.
    Idle {
        /// When its next frame was due.
        at: EventTime,
    },
    /// Nothing follows.
    End,
}

/// Items that belong together: a stop falls between steps, never inside one.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// In order.
    pub items: Vec<Item>,
    /// Where the video stands after them.
    pub video: VideoPosition,
    /// What had been counted by then.
    pub counts: Counts,
    /// Nothing follows.
    pub ended: bool,
}

/// One camera's chain.
pub struct Chain {
    config: CameraConfig,
    video: Source,
    vision: Option<Vision>,
    /// Outlives the runs: a camera that was knocked often breaks off as well.
    sight: Sight,
    eye: Option<Box<dyn Detect>>,
    counts: Counts,
    batch: TrackBatch,
    items: Vec<Item>,
    losses: Vec<Loss>,
    longest_ns: i64,
    ended: bool,
    waiting: bool,
    /// Packets and connections of earlier processes.
    before: (u64, u64),
}

impl Chain {
    /// Before the first frame; `eye` is the detector of a configuration that
    /// names one from outside.
    ///
    /// # Errors
    /// `InvalidInput` when a file cannot be opened.
    pub fn open(config: CameraConfig, eye: Option<Box<dyn Detect>>) -> Result<Self> {
        let start = EventTime(config.start_time_ns);
        let video = VideoRun::open(config.files.clone(), start, config.wants())?;
        let video = Source::Files(Box::new(video));
        Ok(Self::new(config, eye, video, None, SightState::default(), Counts::default()))
    }

    /// After `position`, with what had been seen by then; also says how many
    /// frames were decoded to get there.
    ///
    /// # Errors
    /// As [`Chain::open`], or when the state is not one of this configuration.
    pub fn reopen(
        config: CameraConfig,
        eye: Option<Box<dyn Detect>>,
        position: &VideoPosition,
        vision: Option<&VisionState>,
        sight: SightState,
        counts: Counts,
    ) -> Result<(Self, u64)> {
        let vision = vision.map(|state| Vision::restore(&config, state)).transpose()?;
        let (video, how) = VideoRun::resume(config.files.clone(), position, config.wants())?;
        let video = Source::Files(Box::new(video));
        Ok((Self::new(config, eye, video, vision, sight, counts), how.redecoded))
    }

    /// Of a live camera; `sight` and `counts` are those of the runs before.
    pub fn live(
        config: CameraConfig,
        eye: Option<Box<dyn Detect>>,
        video: LiveRun,
        sight: SightState,
        counts: Counts,
    ) -> Self {
        Self::new(config, eye, Source::Live(Box::new(video)), None, sight, counts)
    }

    fn new(
        config: CameraConfig,
        eye: Option<Box<dyn Detect>>,
        video: Source,
        vision: Option<Vision>,
        sight: SightState,
        counts: Counts,
    ) -> Self {
        let counts_before = (counts.packets_received, counts.connections);
        Self {
            batch: TrackBatch::new(video.run()),
            longest_ns: i64::from(config.batch_ms) * 1_000_000,
            config,
            video,
            vision,
            sight: Sight::restore(sight),
            eye,
            counts,
            items: Vec::new(),
            losses: Vec::new(),
            ended: false,
            waiting: false,
            before: counts_before,
        }
    }

    /// Nothing is there to work on: [`Chain::wait`].
    pub fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Wait for something to work on, but not longer than `time`.
    pub fn wait(&self, time: Duration) {
        self.video.wait(time);
    }

    /// Tell `ring` from now on which time lies where in the files.
    pub fn tell(&mut self, ring: Arc<Ring>) {
        self.video.tell(ring);
    }

    /// Work on up to `frames` frames; the step that closed, when one did.
    ///
    /// # Errors
    /// `Internal` when the chain cannot go on.
    pub fn advance(&mut self, frames: usize) -> Result<Option<Step>> {
        for _ in 0..frames {
            if self.ended {
                return Ok(None);
            }
            self.waiting = false;
            if self.one()? {
                return Ok(Some(self.close_step()));
            }
            if self.waiting {
                break;
            }
        }
        Ok(None)
    }

    /// What is known of the view after the last step.
    pub fn sight_state(&self) -> SightState {
        self.sight.state().clone()
    }

    /// The vision state after the last step.
    pub fn vision_state(&self) -> Option<VisionState> {
        self.vision.as_ref().map(Vision::state)
    }

    /// Where the video stands, with the fingerprint of its last frame.
    pub fn position(&mut self) -> VideoPosition {
        self.video.position(true)
    }

    /// Take the next frame or loss; true when a step is complete.
    fn one(&mut self) -> Result<bool> {
        let (run, due) = (self.video.run(), self.video.next_time());
        match self.video.next() {
            Next::End => {
                self.stop_reading(run, due);
                self.ended = true;
                Ok(true)
            }
            Next::Wait => {
                self.waiting = true;
                Ok(false)
            }
            Next::Gap { at, reason } => {
                self.stop_reading(run, at);
                self.vision = None;
                self.counts.gaps += 1;
                self.put(run, Item::Gap { run, at, reason });
                Ok(true)
            }
            Next::Health(health) => {
                self.put(run, Item::Health(health));
                Ok(true)
            }
            Next::Idle { at } => {
                self.stop_reading(run, at);
                self.put(run, Item::Idle { at });
                Ok(true)
            }
            Next::Lost(loss) => {
                *self.counts.lost.entry(loss.reason.name().to_owned()).or_default() += loss.count;
                note(&mut self.losses, loss);
                Ok(self.losses.iter().map(|l| l.count).sum::<u64>() >= MAX_LOSSES)
            }
            Next::Frame { frame, chroma, doubtful, guessed, begins } => {
                if let Some(reason) = begins {
                    // Another session: nothing of the old one may pass into it.
                    let ended = self.vision.take().and_then(|vision| vision.lamps);
                    self.counts.gaps += 1;
                    close_batch(&mut self.batch, run + 1, &mut self.items, &mut self.counts);
                    self.items.extend(ended.map(|lamps| last_words(lamps, due)));
                    self.items.push(Item::Gap { run, at: due, reason: reason.name() });
                }
                let vision = match &mut self.vision {
                    Some(vision) => vision,
                    none => none.insert(Vision::new(&self.config, (frame.width, frame.height))?),
                };
                let (time, number) = (frame.time, frame.number);
                if !doubtful {
                    let mut changes = Vec::new();
                    self.sight.see(&frame, &mut changes);
                    if !changes.is_empty() {
                        // After the frames before it, which were seen without knowing.
                        close_batch(&mut self.batch, run, &mut self.items, &mut self.counts);
                        self.items.extend(changes.into_iter().map(Item::Sight));
                    }
                }
                if let Some(lamps) = &mut vision.lamps {
                    lamps.see(&frame, chroma.as_ref(), doubtful);
                }
                // Spelled out, because `map` would shorten the life of the trait object.
                let eye: Option<&mut dyn Detect> = match &mut self.eye {
                    Some(eye) => Some(&mut **eye),
                    None => None,
                };
                let Some(seen) = vision.see(&frame, chroma.as_ref(), eye)? else {
                    self.counts.frames_between += 1;
                    return Ok(!self.items.is_empty());
                };
                let tracks = seen.tracks;
                self.counts.pictures_asked += u64::from(seen.asked);
                // When it was taken is as little proof as what is in it.
                if doubtful || guessed {
                    for track in tracks.iter_mut() {
                        track.flags |= Track::DOUBTFUL;
                    }
                }
                self.counts.frames_seen += 1;
                self.counts.frames_doubtful += u64::from(doubtful);
                self.counts.frames_time_guessed += u64::from(guessed);
                self.counts.detections += seen.detections as u64;
                self.counts.track_rows += tracks.len() as u64;
                let too_long = self.batch.frame_time.first().is_some_and(|f| time.0 - f.0 > self.longest_ns);
                let too_many = self.batch.frames() > 0 && self.batch.rows.len() + tracks.len() > MAX_ROWS;
                if too_long || too_many {
                    let run = self.batch.run;
                    close_batch(&mut self.batch, run, &mut self.items, &mut self.counts);
                }
                if self.batch.frames() == 0 {
                    self.batch.run = self.video.run();
                }
                self.batch.push(time, number, tracks);
                self.batch.clock = self.video.clock();
                let first = self.batch.frame_time.first().map_or(time.0, |t| t.0);
                let full = time.0.saturating_add(self.video.interval_ns()) - first > self.longest_ns;
                Ok(full || self.batch.rows.len() >= MAX_ROWS || !self.items.is_empty())
            }
        }
    }

    /// Nobody looks at the lamps from `at` on.
    fn stop_reading(&mut self, run: u32, at: EventTime) {
        if let Some(lamps) = self.vision.as_mut().and_then(|vision| vision.lamps.as_mut()) {
            lamps.stop(at);
            let (changes, settled) = lamps.take();
            self.put(run, Item::Lamps { changes, settled });
        }
    }

    /// Say `item` after the frames before it.
    fn put(&mut self, run: u32, item: Item) {
        close_batch(&mut self.batch, run, &mut self.items, &mut self.counts);
        self.items.push(item);
    }

    fn close_step(&mut self) -> Step {
        let run = self.video.run();
        close_batch(&mut self.batch, run, &mut self.items, &mut self.counts);
        if let Some(lamps) = self.vision.as_mut().and_then(|vision| vision.lamps.as_mut()) {
            let (changes, settled) = lamps.take();
            self.items.push(Item::Lamps { changes, settled });
        }
        let mut items: Vec<Item> = self.losses.drain(..).map(Item::Dead).collect();
        items.append(&mut self.items);
        if self.ended {
            items.push(Item::End);
        }
        self.counts.frames_decoded = self.video.total();
        if let Some((packets, connections)) = self.video.received() {
            self.counts.packets_received = self.before.0 + packets;
            self.counts.connections = self.before.1 + connections;
        }
        let video = self.video.position(false);
        Step { items, video, counts: self.counts.clone(), ended: self.ended }
    }
}

/// Move the batch to the items and begin one of `run`.
fn close_batch(batch: &mut TrackBatch, run: u32, items: &mut Vec<Item>, counts: &mut Counts) {
    let full = std::mem::replace(batch, TrackBatch::new(run));
    if let (Some(&first), Some(&last)) = (full.frame_time.first(), full.frame_time.last()) {
        counts.batches += 1;
        items.push(Item::Tracks { first, last, batch: full.to_bytes() });
    }
}

/// What lamps have shown that nobody looks at from `at` on.
fn last_words(mut lamps: LampReader, at: EventTime) -> Item {
    lamps.stop(at);
    let (changes, settled) = lamps.take();
    Item::Lamps { changes, settled }
}

/// Remember a loss; one of the same kind and file is only counted.
fn note(losses: &mut Vec<Loss>, loss: Loss) {
    match losses.iter_mut().find(|l| l.reason == loss.reason && l.place == loss.place) {
        Some(known) => known.count += loss.count,
        None => losses.push(loss),
    }
}

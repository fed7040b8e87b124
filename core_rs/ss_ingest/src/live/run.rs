//! A live camera's packets decoded to frames with event times.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ss_model::{ClockReading, Error, EventTime, LumaFrame, Result};

use super::LiveConfig;
use super::link::Link;
use super::queue::{Message, Queue, Shed};
use super::receiver::Receiver;
use crate::av::{Complaints, Decoder, Frame, Patience, Received, Wants};
use crate::loss::{Loss, LossReason};
use crate::next::{Next, RunBreak};
use crate::planes::Planes;
use crate::position::VideoPosition;
use crate::ring::Ring;

const SECOND: i64 = 1_000_000_000;
/// Guessed times remembered until their frames come out of the decoder.
const GUESSES: usize = 64;

/// Frames of a live camera.
pub struct LiveRun {
    queue: Arc<Queue>,
    patience: Arc<Patience>,
    receiver: Option<JoinHandle<()>>,
    policy: Shed,
    nth: u64,
    idle: Duration,
    /// What a camera may take to begin.
    connect: Duration,
    name: String,
    at: VideoPosition,
    interval_ns: i64,
    decoder: Option<Decoder>,
    frame: Frame,
    wants: Wants,
    planes: Planes,
    /// The decoder may have more frames to give.
    holds: bool,
    draining: bool,
    guesses: VecDeque<i64>,
    clock: Option<ClockReading>,
    last: Option<i64>,
    /// Time of the latest damage that a frame may build on.
    doubt: Option<i64>,
    behind: u64,
    /// When a frame was given last.
    given: Instant,
    idle_told: bool,
    gap: Option<(EventTime, &'static str)>,
    connections: u64,
}

impl LiveRun {
    /// Connect on a thread of its own, keeping packets in `ring`. `before` is
    /// where an earlier process stood: there is a gap since. A file's first
    /// picture is taken at `start`. `wants` says what of them.
    ///
    /// # Errors
    /// `InvalidInput` for a wrong configuration, `Unavailable` when there is
    /// no thread.
    pub fn start(
        config: &LiveConfig,
        camera: &str,
        start: EventTime,
        ring: &Arc<Ring>,
        before: Option<&VideoPosition>,
        wants: Wants,
    ) -> Result<Self> {
        config.validate()?;
        let queue = Arc::new(Queue::new(config.shed, config.behind_s));
        let patience = Arc::new(Patience::new());
        let last = before.and_then(|p| p.not_before).map(|t| t.0);
        let receiver = Receiver {
            config: config.clone(),
            start,
            queue: Arc::clone(&queue),
            ring: Arc::clone(ring),
            patience: Arc::clone(&patience),
            last_ns: last,
            lost: before.is_some_and(|p| p.lost),
            clock_wrong: before.is_some_and(|p| p.clock_wrong),
            tries: 0,
        };
        let handle = std::thread::Builder::new()
            .name(format!("receive {camera}"))
            .spawn(move || receiver.work())
            .map_err(|e| Error::unavailable(format!("camera {camera}: no thread ({e})")))?;
        Ok(Self {
            queue,
            patience,
            receiver: Some(handle),
            policy: config.shed,
            nth: config.shed_nth,
            idle: Duration::from_secs_f64(config.idle_s),
            connect: Duration::from_secs_f64(config.connect_timeout_s),
            name: config.url.clone(),
            at: before.cloned().unwrap_or_else(|| VideoPosition::at_start(start)),
            interval_ns: 40_000_000,
            decoder: None,
            frame: Frame::new()?,
            wants,
            planes: Planes::new(wants.colour),
            holds: false,
            draining: false,
            guesses: VecDeque::new(),
            clock: None,
            last,
            doubt: None,
            behind: 0,
            given: Instant::now(),
            idle_told: false,
            // A run that had broken already does not break again.
            gap: before.filter(|p| p.frame_no > 0).map(|p| (p.due(), "restart")),
            connections: 0,
        })
    }

    /// Open the camera once and take one packet of it.
    ///
    /// # Errors
    /// `InvalidInput` that says why it gives no video, without any login.
    pub fn probe(config: &LiveConfig) -> Result<()> {
        config.validate()?;
        let bad = |e: super::link::Down| Error::invalid(format!("{}: {} ({})", config.url, e.detail, e.why));
        let patience = Arc::new(Patience::new());
        let mut link = Link::open(config, EventTime(0), None, &patience).map_err(bad)?;
        Decoder::of(&link.format, Wants::default())
            .map_err(|e| Error::invalid(format!("{}: {}", config.url, e.message)))?;
        let mut packet = crate::av::Packet::new()?;
        link.read(&mut packet).map_err(bad)?;
        Ok(())
    }

    /// Wait until there is something to do, but not longer than `time`.
    pub fn wait(&self, time: Duration) {
        self.queue.wait(time);
    }

    /// Number of the current run: the event second it began at, so that no
    /// two runs of a camera share one, whatever was forgotten in between.
    pub fn run(&self) -> u32 {
        self.at.run
    }

    /// Nominal nanoseconds from frame to frame.
    pub fn interval_ns(&self) -> i64 {
        self.interval_ns
    }

    /// When the next frame is due.
    pub fn next_time(&self) -> EventTime {
        self.at.due()
    }

    /// Frames decoded so far.
    pub fn total(&self) -> u64 {
        self.at.total
    }

    /// Packets read and connections made so far, by this process.
    pub fn received(&self) -> (u64, u64) {
        (self.queue.received(), self.connections)
    }

    /// Both clocks at the latest frame.
    pub fn clock(&self) -> Option<ClockReading> {
        self.clock
    }

    /// Where it stands; a live camera cannot be taken back there, but the run
    /// that follows knows what came before.
    pub fn position(&self) -> VideoPosition {
        self.at.clone()
    }

    /// What comes next; [`Next::Wait`] when nothing is there yet.
    #[expect(clippy::should_implement_trait, reason = "it lends: a frame lives until the next call")]
    pub fn next(&mut self) -> Next<'_> {
        loop {
            if self.holds {
                match self.receive() {
                    None => continue,
                    Some(Ok((doubtful, guessed, begins))) => return self.give(doubtful, guessed, begins),
                    Some(Err(loss)) => return Next::Lost(loss),
                }
            }
            if let Some((at, reason)) = self.gap.take() {
                self.at.frame_no = 0;
                return Next::Gap { at, reason };
            }
            let Some(message) = self.queue.pop() else {
                // What cannot be decoded is as silent as what does not come.
                let patience = if self.at.total > 0 { self.idle } else { self.idle + self.connect };
                if !self.idle_told && self.given.elapsed() >= patience {
                    self.idle_told = true;
                    return Next::Idle { at: self.next_time() };
                }
                return Next::Wait;
            };
            match message {
                Message::Session { format, interval_ns, at } => {
                    self.begin_run(at);
                    self.connections += 1;
                    self.interval_ns = interval_ns;
                    match Decoder::of(&format, self.wants) {
                        Ok(decoder) => self.decoder = Some(decoder),
                        Err(e) => {
                            self.decoder = None;
                            return Next::Lost(self.loss(LossReason::UndecodablePacket, at, e.message, 1));
                        }
                    }
                }
                Message::Packet(live) => {
                    self.clock = live.clock;
                    let mut packet = live.packet;
                    packet.set_times(live.time, i64::MIN);
                    if live.guessed {
                        if self.guesses.len() == GUESSES {
                            self.guesses.pop_front();
                        }
                        self.guesses.push_back(live.time);
                    }
                    let Some(decoder) = &mut self.decoder else {
                        let what = "no decoder for this stream".into();
                        return Next::Lost(self.loss(
                            LossReason::UndecodablePacket,
                            EventTime(live.time),
                            what,
                            1,
                        ));
                    };
                    let complaints = Complaints::count();
                    let sent = decoder.send(&packet);
                    self.holds = true;
                    if Complaints::count() > complaints || sent.is_err() {
                        self.doubt = Some(live.time);
                    }
                    if let Err(what) = sent {
                        return Next::Lost(self.loss(
                            LossReason::UndecodablePacket,
                            EventTime(live.time),
                            what,
                            1,
                        ));
                    }
                }
                Message::Lost { reason, count, at, detail } => {
                    // After what was left out a key frame follows, and with it pictures shown before it that
                    // refer to what is not there. A decoder that is new knows that itself.
                    if reason != LossReason::BeforeKeyFrame {
                        self.doubt = Some(at.0);
                    }
                    return Next::Lost(self.loss(reason, at, detail, count));
                }
                Message::Gap { at, reason } => {
                    self.drain();
                    self.gap = Some((at, reason));
                }
                Message::Health(health) => {
                    match health.what {
                        "lost" => self.at.lost = health.opened,
                        _ => self.at.clock_wrong = health.opened,
                    }
                    return Next::Health(health);
                }
                Message::Idle { at } => {
                    self.idle_told = true;
                    return Next::Idle { at };
                }
                Message::End if self.drain() => self.queue.tell(Message::End),
                Message::End => return Next::End,
            }
        }
    }

    /// Let out what the decoder still holds; false when that is done already.
    fn drain(&mut self) -> bool {
        match &mut self.decoder {
            Some(decoder) if !self.draining => {
                decoder.drain();
                self.draining = true;
                self.holds = true;
                true
            }
            _ => false,
        }
    }

    fn begin_run(&mut self, at: EventTime) {
        let second = u32::try_from(at.0.div_euclid(SECOND)).unwrap_or(u32::MAX);
        // A file played as a camera may begin at any time; rising is enough.
        self.at.run = second.max(self.at.run.saturating_add(u32::from(self.at.total > 0)));
        self.at.frame_no = 0;
        self.draining = false;
        self.holds = false;
        self.doubt = None;
        self.at.size = (0, 0);
    }

    fn loss(&self, reason: LossReason, at: EventTime, detail: String, count: u64) -> Loss {
        Loss { reason, at, place: self.name.clone(), detail, count }
    }

    /// Take a frame out of the decoder; `None` when another packet is needed.
    #[expect(clippy::type_complexity, reason = "doubtful, guessed, begins: read in one place")]
    fn receive(&mut self) -> Option<std::result::Result<(bool, bool, Option<RunBreak>), Loss>> {
        let due = self.next_time();
        let complaints = Complaints::count();
        match self.decoder.as_mut()?.receive(&mut self.frame) {
            Received::Frame => {}
            Received::NeedsPacket | Received::End => {
                self.holds = false;
                return None;
            }
            Received::Failed(what) => {
                self.doubt = Some(due.0);
                return Some(Err(self.loss(LossReason::UndecodablePacket, due, what, 1)));
            }
        }
        self.at.total += 1;
        self.at.frame_no += 1;
        let time = self.frame.pts().unwrap_or(due.0);
        let corrupt = self.frame.is_corrupt();
        if corrupt || Complaints::count() > complaints {
            self.doubt = Some(time);
        } else if self.frame.is_key() && self.doubt.is_some_and(|at| time > at) {
            self.doubt = None;
        }
        let at = EventTime(time);
        if let Some(last) = self.last
            && time <= last
        {
            let reason = if time == last { LossReason::DuplicateTime } else { LossReason::BackwardTime };
            return Some(Err(self.loss(reason, at, "not after the frame before".into(), 1)));
        }
        if corrupt {
            return Some(Err(self.loss(LossReason::CorruptFrame, at, "damaged picture".into(), 1)));
        }
        if let Err(e) = self.planes.luma(&self.frame) {
            return Some(Err(self.loss(LossReason::PixelFormat, at, e.message, 1)));
        }
        self.last = Some(time);
        self.at.not_before = Some(EventTime(time.saturating_add(self.interval_ns)));
        let guessed = self.guesses.iter().position(|&g| g == time).map(|i| self.guesses.remove(i)).is_some();
        if self.policy == Shed::EveryNth && self.queue.is_behind() {
            self.behind += 1;
            if !self.behind.is_multiple_of(self.nth) {
                let detail = "not looked at: decoding was behind".into();
                return Some(Err(self.loss(LossReason::ShedEveryNth, at, detail, 1)));
            }
        }
        let size = self.frame.size();
        let changed = self.at.size != (0, 0) && self.at.size != size;
        if changed {
            self.begin_run(at);
            self.holds = true;
            self.at.frame_no = 1;
        }
        self.at.size = size;
        Some(Ok((self.doubt.is_some(), guessed, changed.then_some(RunBreak::SizeChange))))
    }

    /// Lend the frame just taken.
    fn give(&mut self, doubtful: bool, guessed: bool, begins: Option<RunBreak>) -> Next<'_> {
        let (width, height) = self.frame.size();
        let time = EventTime(self.last.unwrap_or_default());
        (self.given, self.idle_told) = (Instant::now(), false);
        // Checked when the frame was taken.
        let ((data, stride), chroma) = self.planes.colours(&self.frame).unwrap_or(((&[], 0), None));
        let reduced = self.decoder.as_ref().and_then(Decoder::reduced);
        let number = self.at.frame_no - 1;
        let frame = LumaFrame { data, stride, width, height, time, number, reduced };
        Next::Frame { frame, chroma, doubtful, guessed, begins }
    }
}

impl Drop for LiveRun {
    fn drop(&mut self) {
        self.patience.stop();
        self.queue.close();
        if let Some(receiver) = self.receiver.take() {
            // A panic there ends the camera; there is nothing to add.
            let _ = receiver.join();
        }
    }
}

//! Connects, reads, and connects again: the thread that talks to a camera.
//!
//! ```text
//!            ┌────────── backs off, longer each time ──────────┐
//!            ▼                                                 │
//!   ┌─► connecting ── refused, no answer ──────────────► lost ─┘
//!   │        │ answers
//!   │        ▼
//!   │   streaming ── silent, closed, broken ─► gap, idle, lost
//!   └── (clock jumps: gap, and on)
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use ss_model::{ClockQuality, ClockReading, EventTime};
use xxhash_rust::xxh3::xxh3_64;

use super::clock::{LiveClock, Stamp};
use super::link::{Down, Link, When, arrival_ns};
use super::queue::{LivePacket, Message, Queue};
use super::{Health, LiveConfig};
use crate::av::{Packet, Patience};
use crate::loss::LossReason;
use crate::ring::Ring;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Cameras lock out who tries wrong logins quickly.
const LOGIN_PAUSE: Duration = Duration::from_secs(15);
/// A connection that stood so long was a good one.
const STOOD: Duration = Duration::from_secs(10);
/// A packet that was waited for so long came live, not from a burst.
const WAITED: Duration = Duration::from_millis(4);
/// A camera that sends no key frame for so many times the patience with its silence shows nothing: two minutes usually,
/// and thrifty cameras send one in twenty seconds.
const KEYLESS: f64 = 24.0;
/// So many packets of a connection show how far its pictures are apart, whatever their order.
const REORDERED: usize = 5;
/// Most packets and time that the burst at the start of a connection takes.
const BURST: usize = 256;
const BURST_TIME: Duration = Duration::from_secs(2);

/// The receiver of one camera.
pub struct Receiver {
    pub config: LiveConfig,
    /// Event time of a file's first picture.
    pub start: EventTime,
    pub queue: Arc<Queue>,
    pub ring: Arc<Ring>,
    pub patience: Arc<Patience>,
    /// Event time before which nothing can follow.
    pub last_ns: Option<i64>,
    /// `lost` has been told, and not yet taken back.
    pub lost: bool,
    /// `clock` has been told, and not yet taken back.
    pub clock_wrong: bool,
    /// Connections tried since one stood.
    pub tries: u32,
}

/// A packet of the burst at the start of a connection.
type Held = (Packet, When, u64);

impl Receiver {
    /// Until the file ends or everybody has gone.
    pub fn work(mut self) {
        while !self.patience.stopped() {
            let down = match Link::open(&self.config, self.start, self.last_ns, &self.patience) {
                Ok(link) => {
                    let begun = Instant::now();
                    let down = self.session(link);
                    if begun.elapsed() >= STOOD {
                        self.tries = 0;
                    }
                    down
                }
                Err(down) => Err(down),
            };
            match down {
                Ok(()) => break,
                Err(_) if self.patience.stopped() => break,
                Err(down) => self.tell_lost(&down),
            }
        }
        self.ring.pause();
        self.queue.tell(Message::End);
    }

    /// Tell that the camera is lost, once, and wait a while.
    fn tell_lost(&mut self, down: &Down) {
        self.ring.pause();
        if !self.lost {
            self.lost = true;
            let at = EventTime(self.last_ns.unwrap_or_else(arrival_ns));
            let detail = format!("{}: {}", down.why, down.detail);
            self.queue.tell(Message::Health(Health { what: "lost", opened: true, at, detail }));
            self.queue.tell(Message::Idle { at });
        }
        self.tries = self.tries.saturating_add(1);
        let least = if down.why == "login" { LOGIN_PAUSE } else { FIRST_PAUSE };
        let pause = least.saturating_mul(1 << (self.tries - 1).min(8)).min(LONGEST_PAUSE.max(least));
        // Cameras that fell together are not called together: half to the whole of the pause, by name
        // and try. It moves when something is tried, never what comes of it.
        let dice = xxh3_64(format!("{} {}", self.config.url, self.tries).as_bytes()) % 1000;
        let pause = pause.mul_f64(0.5 + dice as f64 / 2000.0);
        let begun = Instant::now();
        while begun.elapsed() < pause && !self.patience.stopped() {
            std::thread::sleep(Duration::from_millis(20).min(pause));
        }
    }

    /// Read until something breaks; `Ok` when nothing follows.
    fn session(&mut self, mut link: Link) -> Result<(), Down> {
        let tolerance_ns = (self.config.clock_tolerance_s * 1e9) as i64;
        let mut clock = LiveClock::new(tolerance_ns, link.interval_ns, self.last_ns);
        let (mut begun, mut early) = (false, 0);
        let (mut keyless_since, keyless) =
            (Instant::now(), Duration::from_secs_f64(KEYLESS * self.config.read_timeout_s));
        let (burst, mut down) = burst(&mut link, &mut clock);
        let mut burst = burst.into_iter();
        loop {
            let read = match (burst.next(), down.is_some()) {
                (Some(held), _) => Ok(Some(held)),
                (None, true) => down.take().map_or(Ok(None), Err),
                (None, false) => next(&mut link),
            };
            let (packet, when, missed) = match read {
                Ok(Some(held)) => held,
                Ok(None) => {
                    self.tell_early(early, None);
                    return Ok(());
                }
                Err(down) => {
                    self.tell_early(early, None);
                    if begun {
                        self.tell_gap(link.interval_ns, "lost");
                    }
                    return Err(down);
                }
            };
            if matches!(when, When::Exact(time) if self.last_ns.is_some_and(|last| time <= last && !begun)) {
                continue; // a file that is taken up again: this was seen before the restart
            }
            if !begun && !packet.is_key() {
                early += 1;
                self.queue.pass();
                if matches!(when, When::Stamped(_)) && keyless_since.elapsed() > keyless {
                    self.tell_early(early, None);
                    let detail = format!("no key frame for {} s", keyless.as_secs_f64());
                    return Err(Down { why: "keyless", detail });
                }
                continue;
            }
            let (placed, reading) = match when {
                When::Exact(time) => (Ok(time), None),
                When::Stamped(stamp) => {
                    let placed = clock.place(&stamp);
                    let reading = ClockReading {
                        quality: placed.quality,
                        arrival_ns: stamp.arrival_ns,
                        offset_ns: placed.offset_ns,
                    };
                    (Err(placed), Some(reading))
                }
            };
            let (time, guessed, breaks) = match placed {
                Ok(time) => (time, false, false),
                Err(placed) => (placed.time_ns, placed.guessed, placed.breaks && begun),
            };
            let at = EventTime(time);
            if breaks {
                self.tell_gap(link.interval_ns, "time_jump");
                (begun, keyless_since) = (false, Instant::now());
                if !packet.is_key() {
                    early = 1;
                    self.queue.pass();
                    continue;
                }
            }
            if !begun {
                begun = true;
                self.begin(&link, at);
                self.tell_early(std::mem::take(&mut early), Some(at));
            }
            if missed > 0 {
                let detail = "missing in the sequence of RTP packets".into();
                self.queue.tell(Message::Lost { reason: LossReason::RtpMissed, count: missed, at, detail });
            }
            self.tell_clock(at, reading.as_ref());
            self.last_ns = self.last_ns.max(Some(time));
            if let Ok(shared) = packet.share() {
                self.ring.push(shared, at);
            }
            if !self.queue.push(LivePacket { packet, time, guessed, clock: reading }) {
                return Ok(());
            }
        }
    }

    fn begin(&mut self, link: &Link, at: EventTime) {
        if self.lost {
            self.lost = false;
            let health = Health { what: "lost", opened: false, at, detail: "connected again".into() };
            self.queue.tell(Message::Health(health));
        }
        self.ring.begin(&link.format);
        self.queue.tell(Message::Session {
            format: Arc::clone(&link.format),
            interval_ns: link.interval_ns,
            at,
        });
    }

    /// Pictures that nobody can decode; `at` is unknown where none could be.
    fn tell_early(&mut self, count: u64, at: Option<EventTime>) {
        if count > 0 {
            let detail = "before the first key frame of a connection, or of a clock".into();
            let at = at.unwrap_or_else(|| EventTime(self.last_ns.unwrap_or_else(arrival_ns)));
            self.queue.tell(Message::Lost { reason: LossReason::BeforeKeyFrame, count, at, detail });
        }
    }

    fn tell_gap(&mut self, interval_ns: i64, reason: &'static str) {
        let due = self.last_ns.unwrap_or_else(arrival_ns).saturating_add(interval_ns);
        self.queue.tell(Message::Gap { at: EventTime(due), reason });
    }

    fn tell_clock(&mut self, at: EventTime, reading: Option<&ClockReading>) {
        let Some(ClockReading { quality, offset_ns: Some(offset), .. }) = reading else { return };
        let wrong = *quality == ClockQuality::CameraWrong;
        if wrong != self.clock_wrong {
            self.clock_wrong = wrong;
            let detail = format!("the camera's clock is {:.1} s from ours", *offset as f64 * 1e-9);
            self.queue.tell(Message::Health(Health { what: "clock", opened: wrong, at, detail }));
        }
    }
}

/// The next packet of a connection.
fn next(link: &mut Link) -> Result<Option<Held>, Down> {
    let mut packet = Packet::new().map_err(|e| Down { why: "broken", detail: e.message })?;
    Ok(link.read(&mut packet)?.map(|(when, missed)| (packet, when, missed)))
}

/// What came before the first packet that had to be waited for: a burst,
/// whose arrival tells nothing about when it was sent. Also why nothing follows, when nothing does.
fn burst(link: &mut Link, clock: &mut LiveClock) -> (Vec<Held>, Option<Down>) {
    let (mut held, mut live, begun): (Vec<Held>, _, _) = (Vec::new(), None, Instant::now());
    while held.len() < BURST && begun.elapsed() < BURST_TIME {
        let asked = Instant::now();
        match next(link) {
            Ok(Some(one)) => held.push(one),
            Ok(None) => break,
            Err(down) => return (held, Some(down)),
        }
        let Some((_, When::Stamped(edge), _)) = held.last() else { break };
        let (edge, least) = (*edge, if stamp_of(&held[0]).is_some() { 2 } else { REORDERED });
        // Pictures over HTTP are never timed, the first one over RTSP is not.
        if edge.pts_ns.is_none() && (held.len() > 1 || !link.is_timed()) {
            break;
        }
        if asked.elapsed() >= WAITED && held.len() > 1 {
            live = Some(edge);
            if held.len() >= least {
                break;
            }
        }
    }
    if let Some(edge) = live {
        clock.begin(&edge);
    }
    time_first(&mut held);
    // A report that came later in the burst holds for its beginning, too.
    let by_report = |w: &When| match w {
        When::Stamped(Stamp { pts_ns: Some(pts), camera_ns: Some(camera), .. }) => Some(camera - pts),
        _ => None,
    };
    if let Some(offset) = held.iter().find_map(|(_, when, _)| by_report(when)) {
        for (_, when, _) in &mut held {
            if let When::Stamped(Stamp { pts_ns: Some(pts), camera_ns: camera @ None, .. }) = when {
                *camera = pts.checked_add(offset);
            }
        }
    }
    (held, None)
}

fn stamp_of((_, when, _): &Held) -> Option<i64> {
    match when {
        When::Stamped(stamp) => stamp.pts_ns,
        When::Exact(_) => None,
    }
}

/// libav gives the first packet over RTSP no timestamp. It is shown first: a step before the earliest of those after it.
fn time_first(held: &mut [Held]) {
    let mut later: Vec<i64> = held.iter().skip(1).filter_map(stamp_of).collect();
    later.sort_unstable();
    if let ([a, b, ..], Some((_, When::Stamped(Stamp { pts_ns: pts @ None, .. }), _))) =
        (&later[..], held.first_mut())
    {
        *pts = a.checked_sub(b - a);
    }
}

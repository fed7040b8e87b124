//! A live camera's timestamps to event time.
//!
//! Two clocks tell when a picture was taken: the camera's own (RTCP sender
//! reports tie RTP timestamps to it) and ours (when the packet came, later by
//! the network's delay). The camera's is used where it agrees with ours
//! within a tolerance, else ours. In both cases the spacing comes from the
//! timestamps, and an offset turns them into event time; the offset follows
//! its clock slowly, so that time between frames stays true.
//!
//! Everything is a function of the values handed in; nothing reads a clock.

use ss_model::ClockQuality;

const SECOND: i64 = 1_000_000_000;
/// The offset moves by a fiftieth of the time that passes: no speed is wrong by more than 2 %.
const SLEW: i64 = 50;
/// A clock that is off by more is not followed, it begins anew.
const STEP_NS: i64 = SECOND;
/// Pictures may be shown this much out of order.
const REORDER_NS: i64 = 2 * SECOND;
/// A picture of the future, and one older than any buffer on the way, are not believed.
const AHEAD_NS: i64 = SECOND;
const OLD_NS: i64 = 30 * SECOND;
/// Nothing comes before it was taken: a camera's clock that is further ahead of ours is wrong, whatever the tolerance.
const EARLY_NS: i64 = SECOND / 4;
/// So many timestamps in a row must disagree before the clock counts as changed.
const CONFIRM: u32 = 5;
/// Without timestamps: a silence of at least so long, and of so many times the usual one, may be the network's.
const SILENCE_NS: i64 = SECOND / 2;
const SILENT: i64 = 4;
/// The least delayed packet of this long stands for the clock.
const WINDOW_NS: i64 = 5 * SECOND;

/// What a packet says about time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Presentation time in nanoseconds of the stream's own clock; none in MJPEG over HTTP.
    pub pts_ns: Option<i64>,
    /// When it came, by our clock.
    pub arrival_ns: i64,
    /// The camera's clock at its presentation time, by the latest sender report.
    pub camera_ns: Option<i64>,
}

/// Where a packet lies in event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Nanoseconds UTC.
    pub time_ns: i64,
    /// Its own timestamp was missing or not believed.
    pub guessed: bool,
    /// The clock jumped: what came before and what follows do not belong together.
    pub breaks: bool,
    /// Which clock stands behind it.
    pub quality: ClockQuality,
    /// The camera's clock less ours, where it tells.
    pub offset_ns: Option<i64>,
}

/// The largest value of the last five to ten seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Largest {
    since: i64,
    before: Option<i64>,
    now: Option<i64>,
}

impl Largest {
    fn take(&mut self, at: i64, value: i64) -> i64 {
        if at.saturating_sub(self.since) >= WINDOW_NS {
            (self.before, self.now, self.since) = (self.now, None, at);
        }
        self.now = self.now.max(Some(value));
        self.now.max(self.before).unwrap_or(value)
    }
}

/// Event times of one session's packets, in the order they came.
#[derive(Clone, Debug)]
pub struct LiveClock {
    tolerance_ns: i64,
    interval_ns: i64,
    /// Event time less timestamp.
    offset: Option<i64>,
    last: Option<i64>,
    /// Timestamp less arrival, largest where the delay was least.
    delay: Largest,
    /// Camera's clock less arrival.
    camera: Largest,
    suspects: u32,
    arrivals: Arrivals,
}

/// How packets without timestamps come.
#[derive(Clone, Copy, Debug)]
struct Arrivals {
    last: Option<i64>,
    /// From one to the next, in the mean.
    usual: i64,
    held_up: bool,
}

impl Arrivals {
    /// The packet that came at `at` was held up on the way, or may have been:
    /// after a silence everything comes at once.
    fn take(&mut self, at: i64) -> bool {
        let waited = at.saturating_sub(self.last.replace(at).unwrap_or(at)).max(0);
        let silent = waited >= SILENCE_NS.max(self.usual.saturating_mul(SILENT));
        self.held_up = silent || (self.held_up && waited < self.usual / 2);
        if silent || !self.held_up {
            // One silence changes little, a camera that is slow becomes the usual one.
            self.usual += (waited.min(self.usual.saturating_mul(2)) - self.usual) / 8;
        }
        self.held_up
    }
}

impl LiveClock {
    /// The camera's clock is used while it is within `tolerance_ns` of ours;
    /// a frame is due every `interval_ns`; times come after `after`.
    pub fn new(tolerance_ns: i64, interval_ns: i64, after: Option<i64>) -> Self {
        Self {
            tolerance_ns,
            interval_ns,
            offset: None,
            last: after,
            delay: Largest::default(),
            camera: Largest::default(),
            suspects: 0,
            arrivals: Arrivals { last: None, usual: interval_ns, held_up: false },
        }
    }

    /// Begin with what is known of packets that came in a burst: `edge` is the
    /// one that was waited for, so its arrival is true.
    pub fn begin(&mut self, edge: &Stamp) {
        let Some(pts) = edge.pts_ns else { return };
        let (target, ..) = self.target(edge, pts);
        self.offset = Some(target);
    }

    /// Which offset the better clock asks for, which clock that is, and how
    /// far the camera's is from ours.
    fn target(&mut self, stamp: &Stamp, pts: i64) -> (i64, ClockQuality, Option<i64>) {
        let delay = self.delay.take(stamp.arrival_ns, pts.saturating_sub(stamp.arrival_ns));
        let by_arrival = delay.saturating_neg();
        let Some(camera) = stamp.camera_ns else { return (by_arrival, ClockQuality::Arrival, None) };
        let off = self.camera.take(stamp.arrival_ns, camera.saturating_sub(stamp.arrival_ns));
        if (self.tolerance_ns.saturating_neg()..=self.tolerance_ns.min(EARLY_NS)).contains(&off) {
            (camera.saturating_sub(pts), ClockQuality::Camera, Some(off))
        } else {
            (by_arrival, ClockQuality::CameraWrong, Some(off))
        }
    }

    /// Place the next packet.
    pub fn place(&mut self, stamp: &Stamp) -> Placed {
        let due = self.last.map_or(stamp.arrival_ns, |last| last.saturating_add(self.interval_ns));
        let Some(pts) = stamp.pts_ns else {
            // Nothing but the arrival; two at the same instant are a millisecond apart.
            let time_ns = self.last.map_or(stamp.arrival_ns, |last| stamp.arrival_ns.max(last + 1_000_000));
            self.last = Some(time_ns);
            let (quality, guessed) = (ClockQuality::Arrival, self.arrivals.take(stamp.arrival_ns));
            return Placed { time_ns, guessed, breaks: false, quality, offset_ns: None };
        };
        let (target, quality, offset_ns) = self.target(stamp, pts);
        let offset = *self.offset.get_or_insert(target);
        let candidate = pts.saturating_add(offset);
        let after_last = self.last.is_none_or(|last| candidate > last.saturating_sub(REORDER_NS));
        let believed = after_last && self.plausible(candidate, stamp.arrival_ns);
        if believed {
            self.suspects = 0;
            let error = target.saturating_sub(offset);
            if error.saturating_abs() <= STEP_NS {
                let passed = self.last.map_or(0, |last| candidate.saturating_sub(last)).clamp(0, SECOND);
                self.offset = Some(offset.saturating_add(error.clamp(-passed / SLEW, passed / SLEW)));
                self.last = self.last.max(Some(candidate));
                return Placed { time_ns: candidate, guessed: false, breaks: false, quality, offset_ns };
            }
        } else {
            self.suspects += 1;
            if self.suspects < CONFIRM {
                self.last = Some(due);
                return Placed { time_ns: due, guessed: true, breaks: false, quality, offset_ns };
            }
        }
        // The clock has changed: begin anew, after everything before.
        self.suspects = 0;
        self.delay = Largest::default();
        self.camera = Largest::default();
        let (target, quality, offset_ns) = self.target(stamp, pts);
        let fresh = pts.saturating_add(target);
        // At the edges of time sums are not what they should be.
        let fresh = if self.plausible(fresh, stamp.arrival_ns) { fresh } else { stamp.arrival_ns };
        let time_ns = fresh.max(due);
        self.offset = Some(time_ns.saturating_sub(pts));
        self.last = Some(time_ns);
        Placed { time_ns, guessed: false, breaks: true, quality, offset_ns }
    }

    /// A picture may have been taken at `time` when it came at `arrival`.
    fn plausible(&self, time: i64, arrival: i64) -> bool {
        let earliest = arrival.saturating_sub(OLD_NS.saturating_add(self.tolerance_ns));
        (earliest..=arrival.saturating_add(AHEAD_NS.max(self.tolerance_ns))).contains(&time)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: i64 = 1_000_000;
    const NOW: i64 = 1_790_000_000 * SECOND;

    fn clock() -> LiveClock {
        LiveClock::new(2 * SECOND, 40 * MS, None)
    }

    fn stamp(pts_ms: i64, arrival_ms: i64, camera_ms: Option<i64>) -> Stamp {
        Stamp {
            pts_ns: Some(pts_ms * MS),
            arrival_ns: NOW + arrival_ms * MS,
            camera_ns: camera_ms.map(|ms| NOW + ms * MS),
        }
    }

    #[test]
    fn the_cameras_clock_is_used_where_it_agrees() {
        let mut c = clock();
        for i in 0..10 {
            let placed = c.place(&stamp(1000 + 40 * i, 40 * i + 90, Some(40 * i)));
            assert_eq!((placed.time_ns, placed.quality), (NOW + 40 * i * MS, ClockQuality::Camera));
            assert_eq!(placed.offset_ns, Some(-90 * MS));
        }
    }

    #[test]
    fn a_cameras_clock_in_another_year_is_not_believed() {
        let placed = clock().place(&stamp(0, 50, Some(-86_400_000)));
        assert_eq!((placed.time_ns, placed.quality), (NOW + 50 * MS, ClockQuality::CameraWrong));
    }

    #[test]
    fn a_camera_that_tells_of_the_future_is_not_believed() {
        let quality = |ahead: i64| clock().place(&stamp(0, 50, Some(50 + ahead))).quality;
        assert_eq!((quality(200), quality(300)), (ClockQuality::Camera, ClockQuality::CameraWrong));
        assert_eq!((quality(-1900), quality(-2100)), (ClockQuality::Camera, ClockQuality::CameraWrong));
    }

    #[test]
    fn a_jittering_network_does_not_bend_the_spacing() {
        let mut c = clock();
        let mut last = c.place(&stamp(0, 100, None)).time_ns;
        for i in 1..500 {
            let placed = c.place(&stamp(40 * i, 40 * i + 20 + (i * 37) % 80, None));
            let step = placed.time_ns - last;
            assert!((step - 40 * MS).abs() <= 40 * MS / SLEW, "{step}");
            assert!(!placed.breaks && !placed.guessed);
            last = placed.time_ns;
        }
        assert!((last - (NOW + (40 * 499 + 20) * MS)).abs() <= 5 * MS, "the least delay is the clock");
    }

    #[test]
    fn the_first_sender_report_is_followed_slowly() {
        let mut c = clock();
        c.place(&stamp(0, 300, None));
        let placed: Vec<_> = (1..800).map(|i| c.place(&stamp(40 * i, 40 * i + 300, Some(40 * i)))).collect();
        assert!(placed.iter().all(|p| !p.breaks && p.quality == ClockQuality::Camera));
        assert!(placed.windows(2).all(|w| w[1].time_ns > w[0].time_ns));
        assert_eq!(placed.last().unwrap().time_ns, NOW + 40 * 799 * MS);
    }

    #[test]
    fn one_wild_timestamp_is_guessed_and_a_lasting_one_breaks_the_run() {
        for jump in [-3_600_000, 3_600_000] {
            let mut c = clock();
            c.place(&stamp(0, 50, None));
            let wild = c.place(&stamp(40 + jump, 90, None));
            assert!(wild.guessed && wild.time_ns == NOW + 90 * MS, "{wild:?}");
            assert_eq!(c.place(&stamp(80, 130, None)).time_ns, NOW + 130 * MS);
            let after: Vec<_> = (3..10).map(|i| c.place(&stamp(40 * i + jump, 40 * i + 50, None))).collect();
            assert_eq!(after.iter().filter(|p| p.breaks).count(), 1);
            assert!(after.windows(2).all(|w| w[1].time_ns > w[0].time_ns));
            assert_eq!(after.last().unwrap().time_ns, NOW + (40 * 9 + 50) * MS);
        }
    }

    #[test]
    fn a_stall_of_the_network_is_no_jump() {
        let mut c = clock();
        for i in 0..50 {
            c.place(&stamp(40 * i, 40 * i, None));
        }
        for i in 50..150 {
            // Four seconds of pictures come at once.
            let placed = c.place(&stamp(40 * i, 6000, None));
            assert_eq!((placed.time_ns, placed.breaks), (NOW + 40 * i * MS, false));
        }
    }

    #[test]
    fn pictures_without_timestamps_that_a_stall_held_up_are_guessed() {
        let mut c = clock();
        let mut guessed = |at_ms| c.place(&Stamp { pts_ns: None, ..stamp(0, at_ms, None) }).guessed;
        // Six and a half a second, unevenly; four seconds of them at once; and on.
        let even: Vec<bool> = (0..40).map(|i| guessed(150 * i + 37 * (i % 3))).collect();
        let held: Vec<bool> = (0..26).map(|i| guessed(10_000 + i)).collect();
        let after: Vec<bool> = (1..20).map(|i| guessed(10_030 + 150 * i)).collect();
        assert_eq!((even, held, after), (vec![false; 40], vec![true; 26], vec![false; 19]));
        // One that sends a picture every two seconds is no stall for ever.
        assert!(!(0..20).map(|i| guessed(20_000 + 2_000 * i)).last().unwrap());
    }

    #[test]
    fn a_burst_at_the_start_does_not_shift_time() {
        let mut c = clock();
        c.begin(&stamp(2000, 2010, None));
        assert_eq!(c.place(&stamp(0, 2005, None)).time_ns, NOW + 10 * MS);
    }

    proptest! {
        #[test]
        fn nothing_breaks_it_and_times_stay_near_arrival(
            packets in proptest::collection::vec((
                proptest::option::weighted(0.9, prop_oneof![5 => 0i64..400, 1 => any::<i64>()]),
                0i64..200,
                proptest::option::weighted(0.5, prop_oneof![5 => -500i64..500, 1 => any::<i64>()]),
            ), 1..300),
        ) {
            let mut c = clock();
            let mut arrival = NOW;
            for (i, (pts, wait, camera)) in packets.into_iter().enumerate() {
                arrival += wait * MS;
                let stamp = Stamp {
                    pts_ns: pts.map(|p| if p.abs() < 1000 { (i as i64 * 40 + p) * MS } else { p }),
                    arrival_ns: arrival,
                    camera_ns: camera.map(|c| if c.abs() < 1000 { arrival + c * MS } else { c }),
                };
                let placed = c.place(&stamp);
                prop_assert!(placed.time_ns >= arrival - OLD_NS - 2 * SECOND);
                prop_assert!(placed.time_ns <= arrival + 300 * 40 * MS + 4 * SECOND);
            }
        }
    }
}

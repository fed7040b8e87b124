//! Media time to event time.
//!
//! Cameras and recorders lie about time: frames without a timestamp, the
//! same one twice, a step back, a jump of an hour for one frame, a clock
//! that starts again. A [`Timeline`] gives out strictly rising event times
//! and says of every other frame why it has none. It reads nothing but the
//! timestamps, so a replay decides alike.

use serde::{Deserialize, Serialize};
use ss_model::EventTime;

/// Steps longer than this are not believed at once: ten seconds.
const MAX_STEP_NS: i128 = 10_000_000_000;
/// A clock that jumps further than this is wrong, not ahead: a year.
const MAX_JUMP_NS: i128 = 366 * 86_400 * 1_000_000_000;
/// So many frames in a row must agree on a new time before it is believed.
const CONFIRM: u32 = 5;

/// What became of one frame's timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// The frame's event time, after every earlier one.
    At(EventTime),
    /// It had no timestamp; one nominal interval after the frame before it.
    Guessed(EventTime),
    /// The same time as the frame before it.
    Duplicate,
    /// Before the frame before it.
    Backward,
    /// Implausibly far after the frame before it, and not yet confirmed.
    Ahead,
    /// The clock has jumped and stays there: the frame's event time on the
    /// new one. What came before and what follows do not belong together.
    Jumped(EventTime),
}

/// Which event time a stream's timestamps stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeMap {
    /// A timestamp, in ticks.
    pub pts: i64,
    /// Its event time.
    pub time: EventTime,
    /// Seconds per tick, as a fraction.
    pub time_base: (i64, i64),
}

impl TimeMap {
    /// Nanoseconds of event time at `pts`, as wide as foreign numbers may be.
    pub fn wide_ns(&self, pts: i64) -> i128 {
        i128::from(self.time.0) + ticks_to_ns(i128::from(pts) - i128::from(self.pts), self.time_base)
    }

    /// Event time at `pts`, at the edge of time for absurd ones.
    pub fn time_of(&self, pts: i64) -> EventTime {
        EventTime(self.wide_ns(pts).clamp(i64::MIN.into(), i64::MAX.into()) as i64)
    }

    /// The timestamp nearest to `time`.
    pub fn pts_of(&self, time: EventTime) -> i64 {
        let (num, den) = (i128::from(self.time_base.0).max(1), i128::from(self.time_base.1));
        let ticks =
            (i128::from(time.0) - i128::from(self.time.0)).saturating_mul(den) / (num * 1_000_000_000);
        (i128::from(self.pts) + ticks).clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }
}

/// Rounded to the nearest nanosecond, ties upwards; foreign numbers may be absurd.
fn ticks_to_ns(ticks: i128, (num, den): (i64, i64)) -> i128 {
    let doubled = ticks.saturating_mul(num.into()).saturating_mul(2_000_000_000);
    doubled.saturating_add(den.into()).div_euclid(2 * i128::from(den))
}

/// Event times of one stream of frames, file after file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    start: EventTime,
    /// Seconds per tick, as a fraction.
    time_base: (i64, i64),
    /// Nominal time from frame to frame.
    interval_ns: i64,
    /// A timestamp and the event time it stands for.
    anchor: Option<(i64, EventTime)>,
    last: Option<EventTime>,
    /// Latest disbelieved timestamp and how many in a row agreed with it.
    suspect: Option<(i64, u32)>,
}

impl Timeline {
    /// The first frame will be taken at `start`.
    pub fn new(start: EventTime) -> Self {
        Self { start, time_base: (1, 1), interval_ns: 40_000_000, anchor: None, last: None, suspect: None }
    }

    /// A file begins, with ticks of `time_base` seconds and a frame every
    /// `interval_ns`. Timestamp `first`, or else that of its first frame,
    /// follows what came before by one interval, but not before `not_before`.
    pub fn begin_file(
        &mut self,
        time_base: (i64, i64),
        interval_ns: i64,
        first: Option<i64>,
        not_before: Option<EventTime>,
    ) {
        self.start = self.next_time().max(not_before.unwrap_or(EventTime::MIN));
        self.time_base = time_base;
        self.interval_ns = interval_ns;
        self.anchor = first.map(|pts| (pts, self.start));
        self.suspect = None;
        // `start` already stands for it; a later frame is compared with its own file's.
        self.last = None;
    }

    /// Event time of the current file's first timestamp.
    pub fn start(&self) -> EventTime {
        self.start
    }

    /// When the next frame is due: the time of the first one, or a nominal
    /// interval after the last.
    pub fn next_time(&self) -> EventTime {
        self.last.map_or(self.start, |t| EventTime(t.0.saturating_add(self.interval_ns)))
    }

    /// Nominal nanoseconds from frame to frame.
    pub fn interval_ns(&self) -> i64 {
        self.interval_ns
    }

    /// Place the next frame, whose timestamp is `pts`.
    pub fn place(&mut self, pts: Option<i64>) -> Placed {
        let Some(pts) = pts else {
            let time = self.next_time();
            self.last = Some(time);
            return Placed::Guessed(time);
        };
        let Some(map) = self.map() else {
            let time = self.next_time();
            self.anchor = Some((pts, time));
            self.last = Some(time);
            return Placed::At(time);
        };
        let time = map.wide_ns(pts);
        let step = time - self.last.map_or(i128::from(self.start.0) - 1, |t| i128::from(t.0));
        let time = i64::try_from(time).map(EventTime);
        if let Ok(time) = time
            && step > 0
            && step <= MAX_STEP_NS
        {
            self.suspect = None;
            self.last = Some(time);
            return Placed::At(time);
        }
        let agreeing = match self.suspect {
            Some((before, n)) if pts > before => n + 1,
            _ => 1,
        };
        self.suspect = Some((pts, agreeing));
        if agreeing >= CONFIRM {
            // A jump ahead keeps the file's own time; a step back cannot, times must rise.
            let ahead = (1..=MAX_JUMP_NS).contains(&step);
            let time = time.ok().filter(|_| ahead).unwrap_or_else(|| self.next_time());
            self.suspect = None;
            self.anchor = Some((pts, time));
            self.last = Some(time);
            return Placed::Jumped(time);
        }
        match step {
            0 => Placed::Duplicate,
            1.. => Placed::Ahead,
            _ => Placed::Backward,
        }
    }

    /// What the current file's timestamps stand for, once one is known.
    pub fn map(&self) -> Option<TimeMap> {
        let time_base = self.time_base;
        self.anchor.map(|(pts, time)| TimeMap { pts, time, time_base })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: i64 = 1_000_000;

    fn timeline() -> Timeline {
        let mut t = Timeline::new(EventTime(1_000_000 * MS));
        t.begin_file((1, 1000), 40 * MS, None, None);
        t
    }

    fn at(ms: i64) -> EventTime {
        EventTime((1_000_000 + ms) * MS)
    }

    #[test]
    fn first_timestamp_is_the_start() {
        let mut t = timeline();
        assert_eq!(t.place(Some(7_000)), Placed::At(at(0)));
        assert_eq!(t.place(Some(7_040)), Placed::At(at(40)));
        assert_eq!(t.place(Some(7_090)), Placed::At(at(90)), "uneven steps are kept");
    }

    #[test]
    fn missing_duplicate_and_backward_timestamps() {
        let mut t = timeline();
        assert_eq!(t.place(None), Placed::Guessed(at(0)));
        assert_eq!(t.place(None), Placed::Guessed(at(40)));
        assert_eq!(t.place(Some(0)), Placed::At(at(80)));
        assert_eq!(t.place(Some(0)), Placed::Duplicate);
        assert_eq!(t.place(Some(-40)), Placed::Backward);
        assert_eq!(t.place(Some(40)), Placed::At(at(120)), "one bad frame changes nothing");
    }

    #[test]
    fn one_wild_timestamp_is_dropped_and_forgotten() {
        let mut t = timeline();
        t.place(Some(0));
        assert_eq!(t.place(Some(3_600_000)), Placed::Ahead);
        assert_eq!(t.place(Some(80)), Placed::At(at(80)));
    }

    #[test]
    fn a_confirmed_jump_ahead_keeps_the_files_time() {
        let mut t = timeline();
        t.place(Some(0));
        for i in 0..4 {
            assert_eq!(t.place(Some(60_000 + 40 * i)), Placed::Ahead);
        }
        assert_eq!(t.place(Some(60_160)), Placed::Jumped(at(60_160)));
        assert_eq!(t.place(Some(60_200)), Placed::At(at(60_200)));
    }

    #[test]
    fn a_clock_that_starts_again_goes_on_after_the_last_frame() {
        let mut t = timeline();
        t.place(Some(50_000));
        for i in 0..4 {
            assert_eq!(t.place(Some(40 * i)), Placed::Backward);
        }
        assert_eq!(t.place(Some(160)), Placed::Jumped(at(40)));
        assert_eq!(t.place(Some(200)), Placed::At(at(80)));
    }

    #[test]
    fn the_next_file_follows_by_one_interval() {
        let mut t = timeline();
        t.place(Some(0));
        t.place(Some(40));
        t.begin_file((1, 90_000), 50 * MS, None, None);
        assert_eq!(t.place(Some(999)), Placed::At(at(80)));
        assert_eq!(t.place(Some(999 + 4_500)), Placed::At(at(130)));
        t.begin_file((1, 90_000), 50 * MS, None, Some(at(500)));
        assert_eq!(t.place(Some(0)), Placed::At(at(500)));
    }

    #[test]
    fn frames_lost_at_the_head_of_a_file_do_not_shift_the_rest() {
        let mut t = Timeline::new(at(0));
        t.begin_file((1, 1000), 40 * MS, Some(200), None);
        assert_eq!(t.place(Some(320)), Placed::At(at(120)));
    }

    proptest! {
        #[test]
        fn times_given_out_rise_strictly(
            stamps in proptest::collection::vec(proptest::option::weighted(0.9, prop_oneof![
                3 => (0i64..2_000).prop_map(|t| t * 40),
                1 => any::<i64>(),
            ]), 0..300),
            files in proptest::collection::vec(0usize..300, 0..3),
        ) {
            let mut t = timeline();
            let mut last = EventTime::MIN;
            for (i, &pts) in stamps.iter().enumerate() {
                if files.contains(&i) {
                    t.begin_file((1, 90_000), 20 * MS, None, None);
                }
                if let Placed::At(time) | Placed::Guessed(time) | Placed::Jumped(time) = t.place(pts) {
                    prop_assert!(time > last, "{:?} after {:?}", time, last);
                    last = time;
                }
            }
        }
    }
}

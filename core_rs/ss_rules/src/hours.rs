//! Hours and days on a sign, in local time.

use serde::{Deserialize, Deserializer};
use ss_model::EventTime;

const DAY_S: i64 = 86_400;
/// 1970-01-01 was a Thursday; Monday is 0.
const EPOCH_WEEKDAY: i64 = 3;

/// Offsets of local time from UTC.
#[derive(Clone, Debug)]
pub struct Calendar {
    /// From this second on, this offset; in order.
    offsets: Vec<(i64, i64)>,
}

impl Calendar {
    /// From `(first second, offset in seconds)` pairs; empty is UTC.
    pub fn new(mut offsets: Vec<(i64, i64)>) -> Self {
        offsets.sort_unstable();
        Self { offsets }
    }

    fn local_s(&self, time: EventTime) -> i64 {
        let utc_s = time.0.div_euclid(1_000_000_000);
        let at = self.offsets.partition_point(|&(from, _)| from <= utc_s);
        let offset = self.offsets.get(at.saturating_sub(1)).map_or(0, |&(_, o)| o);
        utc_s + offset
    }
}

/// When a rule applies.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// First and last second of the day; the last may be on the next day.
    hours: Vec<(i64, i64)>,
    /// Days on which the hours begin, Monday first.
    days: Option<[bool; 7]>,
}

/// Hours of a day such as `22:00-05:00`.
#[derive(Clone, Copy, Debug)]
pub struct Hours {
    from_s: i64,
    to_s: i64,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let parsed = text.split_once('-').and_then(|(a, b)| Some((second_of_day(a)?, second_of_day(b)?)));
        let (from_s, to_s) = parsed.filter(|(a, b)| a != b).ok_or_else(|| {
            serde::de::Error::custom(format!("expected hours like 06:00-09:00, found {text:?}"))
        })?;
        Ok(Self { from_s, to_s: if to_s > from_s { to_s } else { to_s + DAY_S } })
    }
}

fn second_of_day(text: &str) -> Option<i64> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (i64, i64) = (hour.parse().ok()?, minute.parse().ok()?);
    let valid = (0..24).contains(&hour) && (0..60).contains(&minute) || (hour, minute) == (24, 0);
    valid.then_some(hour * 3600 + minute * 60)
}

impl Window {
    /// From the configuration: absent hours are all day, absent days every day.
    pub fn new(hours: Option<&[Hours]>, days: Option<&[Weekday]>) -> Self {
        let hours = hours.iter().copied().flatten().map(|h| (h.from_s, h.to_s)).collect();
        let days = days.map(|days| {
            let mut on = [false; 7];
            for &day in days {
                on[day as usize] = true;
            }
            on
        });
        Self { hours, days }
    }

    /// Whether an instant that is known within `[from, to]` lies in it: for certain, not at all, or `None`.
    pub fn surely_holds(&self, calendar: &Calendar, from: EventTime, to: EventTime) -> Option<bool> {
        let (first, last) = (self.holds(calendar, from), self.holds(calendar, to));
        (first == last).then_some(first)
    }

    /// Whether `time` lies in it.
    pub fn holds(&self, calendar: &Calendar, time: EventTime) -> bool {
        if self.hours.is_empty() && self.days.is_none() {
            return true;
        }
        let local = calendar.local_s(time);
        let (day, second) = (local.div_euclid(DAY_S), local.rem_euclid(DAY_S));
        let is_on = |day: i64| self.days.is_none_or(|on| on[(day + EPOCH_WEEKDAY).rem_euclid(7) as usize]);
        if self.hours.is_empty() {
            return is_on(day);
        }
        self.hours.iter().any(|&(from, to)| {
            let today = is_on(day) && (from..to).contains(&second);
            // Hours that began yesterday and run past midnight.
            today || is_on(day - 1) && (from..to).contains(&(second + DAY_S))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(json: &str) -> Vec<Hours> {
        serde_json::from_str(json).unwrap()
    }

    /// 2026-09-21 is a Monday.
    fn at(day: i64, hour: i64, minute: i64) -> EventTime {
        EventTime((1_789_948_800 + (day - 21) * DAY_S + (hour - 7) * 3600 + minute * 60) * 1_000_000_000)
    }

    #[test]
    fn hours_are_local_and_may_run_past_midnight() {
        let ict = Calendar::new(vec![(i64::MIN, 7 * 3600)]);
        let night = Window::new(Some(&hours(r#"["22:00-05:00"]"#)), Some(&[Weekday::Mon]));
        assert!(!night.holds(&ict, at(21, 21, 59)));
        assert!(night.holds(&ict, at(21, 22, 0)));
        assert!(night.holds(&ict, at(22, 4, 59)));
        assert!(!night.holds(&ict, at(22, 5, 0)));
        assert!(!night.holds(&ict, at(22, 22, 0)), "a Tuesday");
        assert!(!night.holds(&ict, at(21, 4, 0)), "began on a Sunday");
        let rush = Window::new(Some(&hours(r#"["06:00-09:00", "16:00-19:00"]"#)), None);
        assert!(
            rush.holds(&ict, at(23, 6, 0))
                && !rush.holds(&ict, at(23, 9, 0))
                && rush.holds(&ict, at(23, 18, 59))
        );
        assert!(Window::default().holds(&ict, at(21, 3, 0)));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [r#""25:00-26:00""#, r#""06:00""#, r#""06:00-06:00""#, r#""six""#] {
            assert!(serde_json::from_str::<Hours>(bad).is_err(), "{bad}");
        }
    }
}

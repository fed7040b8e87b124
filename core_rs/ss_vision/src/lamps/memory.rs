//! What a head shows, out of many looks: one noisy picture changes nothing.
//!
//! LED lamps pulse with the mains, and a short shutter meets them dark: on real
//! clips up to a third of the pictures show a lit lamp unlit, for up to 0.3 s. Lamps
//! that flash are dark for half a second at a time (about 60 flashes a minute).
//! So nothing lit counts after [`DARK_S`], a colour after two looks over
//! [`SURE_S`], and amber after [`STEADY_S`] without the pause of a flash, or when
//! red follows it. Looks that do not agree with what is believed wait in
//! `open` until they can be explained; [`Memory::settled`] stands still so long.

use serde::{Deserialize, Serialize};
use ss_model::EventTime;

use super::config::Lamp;
use super::look::Look;

/// Nothing lit, or nothing to be seen, for so long is no pulse and no flash.
pub const DARK_S: f64 = 1.0;
/// Two looks so far apart show a colour for certain.
const SURE_S: f64 = 0.1;
/// Amber for so long is no flash.
const STEADY_S: f64 = 1.0;
/// A pause within amber that is longer than any pulse's.
const PAUSE_S: f64 = 0.35;
/// Looks that may wait.
const OPEN: usize = 256;

/// What a head shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shows {
    /// Not known.
    #[default]
    Unknown,
    /// No lamp is lit.
    Dark,
    /// One lamp.
    Lit(Lamp),
    /// Amber, on and off.
    Flashing,
}

/// A change: it happened after `after` and not later than `since`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Last look that showed what was before.
    pub after: EventTime,
    /// First look that showed what is now.
    pub since: EventTime,
    /// What is now.
    pub shows: Shows,
    /// Share of the looks since then that showed it, weighed by how clearly.
    pub confidence: f32,
}

/// The memory of one head.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    shows: Shows,
    /// Latest look that agreed with what it shows; `None` before the first.
    settled: Option<EventTime>,
    /// Looks after it.
    open: Vec<(EventTime, Look)>,
}

impl Memory {
    /// Nothing at or before this instant will change any more.
    pub fn settled(&self) -> EventTime {
        self.settled.unwrap_or(EventTime::MIN)
    }

    /// Take in a look, later than the one before.
    pub fn see(&mut self, time: EventTime, look: Look, out: &mut Vec<Change>) {
        self.open.push((time, look));
        while !self.open.is_empty() {
            match self.explain() {
                Some(Answer::Agrees(n)) => self.settle(n),
                Some(Answer::Changed(at, shows)) => self.change(at, shows, out),
                None => break,
            }
        }
        if self.open.len() > OPEN {
            self.change(0, Shows::Unknown, out);
        }
    }

    /// Nobody looks any more: from `at`, or the first doubt before it, nothing is known.
    pub fn stop(&mut self, at: EventTime, out: &mut Vec<Change>) {
        if self.shows != Shows::Unknown {
            let since = self.open.first().map_or(at, |(time, _)| *time);
            let after = self.settled.unwrap_or(since);
            out.push(Change { after, since, shows: Shows::Unknown, confidence: 1.0 });
        }
        *self = Self { settled: Some(at), ..Self::default() };
    }

    /// The first thing that the open looks say, if they say anything yet.
    fn explain(&self) -> Option<Answer> {
        let (now, latest) = *self.open.last()?;
        if let (Shows::Lit(lamp), Look::Lit(found, _)) = (self.shows, latest)
            && lamp == found
            && (lamp != Lamp::Amber || !self.paused())
        {
            return Some(Answer::Agrees(self.open.len()));
        }
        self.another_colour(now, latest).or_else(|| self.amber()).or_else(|| self.nothing(now))
    }

    /// Red or green that was not shown before.
    fn another_colour(&self, now: EventTime, latest: Look) -> Option<Answer> {
        let Look::Lit(lamp, _) = latest else { return None };
        if lamp == Lamp::Amber || self.shows == Shows::Lit(lamp) {
            return None;
        }
        let first = self.first_of(lamp)?;
        let (mut own, mut others) = (0, 0);
        for (_, look) in &self.open[first..] {
            match look {
                Look::Lit(l, _) if *l == lamp => own += 1,
                Look::Lit(..) => others += 1,
                _ => {}
            }
        }
        if own < 2 || own <= others || now < self.open[first].0.plus_seconds(SURE_S) {
            return None;
        }
        // An amber too short to be believed by itself is, when red follows it.
        let amber = self.first_of(Lamp::Amber).filter(|&at| at < first && lamp == Lamp::Red);
        if let Some(at) = amber {
            let last = self.open[..first].iter().rposition(|(_, look)| is_amber(*look)).unwrap_or(at);
            if self.shows == Shows::Lit(Lamp::Amber) {
                return Some(Answer::Agrees(last + 1));
            }
            if self.open[last].0 >= self.open[at].0.plus_seconds(SURE_S) && self.shows != Shows::Flashing {
                return Some(Answer::Changed(at, Shows::Lit(Lamp::Amber)));
            }
        }
        Some(Answer::Changed(first, Shows::Lit(lamp)))
    }

    /// Amber: steady when it lasts, flashing when it comes twice.
    fn amber(&self) -> Option<Answer> {
        let bursts = self.bursts();
        let &(first, last) = bursts.last()?;
        let length = |&(first, last): &(usize, usize)| self.open[last].0.seconds_since(self.open[first].0);
        if length(&(first, last)) >= STEADY_S {
            return Some(match self.shows {
                Shows::Lit(Lamp::Amber) => Answer::Agrees(last + 1),
                _ => Answer::Changed(first, Shows::Lit(Lamp::Amber)),
            });
        }
        let before = bursts.get(bursts.len().checked_sub(2)?)?;
        let pause_s = self.open[first].0.seconds_since(self.open[before.1].0);
        if pause_s > DARK_S || length(before) >= STEADY_S {
            return None;
        }
        Some(match self.shows {
            Shows::Flashing => Answer::Agrees(first),
            _ => Answer::Changed(before.0, Shows::Flashing),
        })
    }

    /// No lamp, or nothing that can be told.
    fn nothing(&self, now: EventTime) -> Option<Answer> {
        let lit = self.open.iter().rposition(|(_, look)| matches!(look, Look::Lit(..)));
        let flashes = self.shows == Shows::Flashing;
        // A lit lamp that was seen once and not again was none, but for one that flashes.
        let since = lit.map_or(self.open[0].0, |at| self.open[at].0);
        let from = if flashes { lit.map_or(0, |at| at + 1) } else { 0 };
        let looks = self.open.get(from..).filter(|looks| !looks.is_empty())?;
        let blank = looks.iter().filter(|(_, look)| *look == Look::Blank).count();
        let shows = if 2 * blank > looks.len() { Shows::Dark } else { Shows::Unknown };
        if lit.is_none() && self.shows == shows {
            return Some(Answer::Agrees(self.open.len()));
        }
        if now < since.plus_seconds(DARK_S) {
            return None;
        }
        Some(if self.shows == shows { Answer::Agrees(self.open.len()) } else { Answer::Changed(from, shows) })
    }

    /// There was a pause since amber was last believed.
    fn paused(&self) -> bool {
        let mut last = self.settled();
        self.open.iter().filter(|(_, look)| is_amber(*look)).any(|(time, _)| {
            let paused = time.seconds_since(last) > PAUSE_S;
            last = *time;
            paused
        })
    }

    /// First and last look of each stretch of amber without a pause.
    fn bursts(&self) -> Vec<(usize, usize)> {
        let mut bursts: Vec<(usize, usize)> = Vec::new();
        for (at, (time, _)) in self.open.iter().enumerate().filter(|(_, (_, look))| is_amber(*look)) {
            match bursts.last_mut() {
                Some((_, last)) if time.seconds_since(self.open[*last].0) <= PAUSE_S => *last = at,
                _ => bursts.push((at, at)),
            }
        }
        bursts
    }

    fn first_of(&self, lamp: Lamp) -> Option<usize> {
        self.open.iter().position(|(_, look)| matches!(look, Look::Lit(l, _) if *l == lamp))
    }

    fn settle(&mut self, looks: usize) {
        if let Some(&(time, _)) = looks.checked_sub(1).and_then(|last| self.open.get(last)) {
            self.settled = Some(self.settled().max(time));
            self.open.drain(..looks);
        }
    }

    /// Since the open look `at` it shows something else.
    fn change(&mut self, at: usize, shows: Shows, out: &mut Vec<Change>) {
        // After a stop a look may be earlier than what was promised then.
        let since = self.settled.map_or(self.open[at].0, |s| self.open[at].0.max(EventTime(s.0 + 1)));
        let looks = &self.open[at..];
        let clear: f32 = looks.iter().map(|(_, look)| shows.clearly(*look)).sum();
        let after = self.settled.unwrap_or(since);
        out.push(Change { after, since, shows, confidence: clear / looks.len() as f32 });
        self.shows = shows;
        self.settle(at + 1);
    }
}

/// What the first of the open looks mean.
enum Answer {
    /// So many of them agree with what is shown.
    Agrees(usize),
    /// From this one on it is something else.
    Changed(usize, Shows),
}

impl Shows {
    /// How clearly a look shows it, 0–1.
    fn clearly(self, look: Look) -> f32 {
        match (self, look) {
            (Self::Lit(lamp), Look::Lit(found, clear)) if lamp == found => clear,
            (Self::Flashing, Look::Lit(Lamp::Amber, clear)) => clear,
            (Self::Flashing | Self::Dark, Look::Blank) | (Self::Unknown, Look::Unclear) => 1.0,
            _ => 0.0,
        }
    }
}

fn is_amber(look: Look) -> bool {
    matches!(look, Look::Lit(Lamp::Amber, _))
}

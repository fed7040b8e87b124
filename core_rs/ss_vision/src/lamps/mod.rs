//! Signal heads read from the picture: [`look`] tells which lamp one picture
//! shows lit, [`memory`] what a head shows over time, [`LampReader`] what the
//! signal groups of its heads show.
//!
//! Every picture is looked at: a head costs some hundred samples, a thousandth
//! of decoding, and the fewer pictures lie between two looks the narrower is the
//! interval in which a change lies.

mod config;
mod look;
mod memory;

use serde::{Deserialize, Serialize};
use ss_model::{Chroma, Error, EventTime, LumaFrame, Result, SignalState};

pub use config::{HeadConfig, LEAST_LAMP_PX, Lamp};
use look::{Eye, Look};
use memory::{Change, DARK_S, Memory, Shows};

/// Lit lamps of a head lose this share of their remembered glow in a second of not being seen.
const FADE: f64 = 1.0 / 600.0;
/// How quickly the remembered luma of unlit lamps follows, per look.
const FOLLOW: f32 = 0.1;
/// An unlit lamp that differs so much from what it was, in grey levels …
const COVERED: f32 = 20.0;
/// … and so much of it, has something in front of it.
const COVERED_SHARE: f32 = 0.35;
/// What has been in front of it for so long is how it looks now.
const COVERED_S: f64 = 60.0;

/// A signal group shows something else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LampChange {
    /// Name of the group.
    pub group: String,
    /// What it shows.
    pub state: SignalState,
    /// The change happened after this instant …
    pub after: EventTime,
    /// … and not later than this one.
    pub since: EventTime,
    /// How sure that is, 0–1.
    pub confidence: f32,
}

/// Reads every head of a camera; a function of the pictures alone.
pub struct LampReader {
    heads: Vec<Head>,
    groups: Vec<Group>,
    found: Vec<LampChange>,
}

/// The state of a [`LampReader`], to be written down between two calls of [`LampReader::take`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LampState {
    heads: Vec<HeadState>,
    groups: Vec<GroupState>,
}

struct Head {
    config: HeadConfig,
    /// Where its samples are; made for the first picture of a layout.
    eye: Option<Eye>,
    state: HeadState,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct HeadState {
    memory: Memory,
    /// Changes that its groups have not taken in yet.
    changes: Vec<Change>,
    /// Glow of its lit lamps, lately.
    peak: f32,
    /// Luma of its lamps while they are not lit.
    unlit: Vec<Option<f32>>,
    /// Since when something has been in front of it.
    covered: Option<EventTime>,
    latest: Option<EventTime>,
}

struct Group {
    name: String,
    /// Index of each of its heads.
    heads: Vec<usize>,
    state: GroupState,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct GroupState {
    shows: SignalState,
    /// Last change told or dropped.
    told: Option<EventTime>,
    /// What each of its heads shows, as far as its changes were taken in.
    heads: Vec<Shows>,
    /// Changes taken in of each of its heads.
    taken: Vec<usize>,
    /// Two heads differ, since: one may be a picture ahead of the other.
    differ: Option<Change>,
}

impl LampReader {
    /// Having seen nothing.
    ///
    /// # Errors
    /// `InvalidInput` for what is no head.
    pub fn new(heads: &[HeadConfig]) -> Result<Self> {
        let mut groups: Vec<Group> = Vec::new();
        for (at, head) in heads.iter().enumerate() {
            head.validate()?;
            for name in &head.groups {
                let known = groups.iter().position(|g| g.name == *name);
                let place = known.unwrap_or(groups.len());
                if known.is_none() {
                    let (name, state) = (name.clone(), GroupState::default());
                    groups.push(Group { name, heads: Vec::new(), state });
                }
                let group = &mut groups[place];
                group.heads.push(at);
                group.state.heads.push(Shows::Unknown);
                group.state.taken.push(0);
            }
        }
        let heads = heads.iter().map(|c| Head { config: c.clone(), eye: None, state: HeadState::default() });
        Ok(Self { heads: heads.collect(), groups, found: Vec::new() })
    }

    /// Look at a picture; one that may be damaged, or has no colours, tells nothing.
    pub fn see(&mut self, frame: &LumaFrame<'_>, chroma: Option<&Chroma<'_>>, doubtful: bool) {
        for head in &mut self.heads {
            let look = head.look(frame, chroma.filter(|_| !doubtful));
            head.state.memory.see(frame.time, look, &mut head.state.changes);
        }
        self.gather();
    }

    /// Nobody looks any more: from `at` on nothing is known.
    pub fn stop(&mut self, at: EventTime) {
        for head in &mut self.heads {
            head.state.memory.stop(at, &mut head.state.changes);
        }
        self.gather();
    }

    /// What the groups have been found to show since the last call, by time;
    /// and up to when nothing will be added.
    pub fn take(&mut self) -> (Vec<LampChange>, EventTime) {
        let mut found = std::mem::take(&mut self.found);
        found.sort_by(|a, b| (a.since, &a.group).cmp(&(b.since, &b.group)));
        let settled = self.groups.iter().map(|group| group.settled(&self.heads)).min();
        (found, settled.unwrap_or(EventTime::MAX))
    }

    /// Everything that later pictures depend on.
    pub fn state(&self) -> LampState {
        LampState {
            heads: self.heads.iter().map(|h| h.state.clone()).collect(),
            groups: self.groups.iter().map(|g| g.state.clone()).collect(),
        }
    }

    /// Go on from a state.
    ///
    /// # Errors
    /// `DataLoss` when it is not one of these heads.
    pub fn restore(&mut self, state: &LampState) -> Result<()> {
        let fits = state.heads.len() == self.heads.len() && state.groups.len() == self.groups.len();
        let fit =
            |g: &Group, s: &GroupState| g.heads.len() == s.heads.len() && s.heads.len() == s.taken.len();
        if !fits || !self.groups.iter().zip(&state.groups).all(|(g, s)| fit(g, s)) {
            return Err(Error::data_loss("lamps: the state is of other signal heads"));
        }
        for (head, state) in self.heads.iter_mut().zip(&state.heads) {
            head.state = state.clone();
        }
        for (group, state) in self.groups.iter_mut().zip(&state.groups) {
            group.state = state.clone();
        }
        Ok(())
    }

    /// Let the groups take in what their heads have settled.
    fn gather(&mut self) {
        for group in &mut self.groups {
            group.gather(&self.heads, &mut self.found);
        }
        for (at, head) in self.heads.iter_mut().enumerate() {
            let places = self.groups.iter_mut().filter_map(|g| {
                let place = g.heads.iter().position(|&h| h == at)?;
                Some(&mut g.state.taken[place])
            });
            let mut taken: Vec<&mut usize> = places.collect();
            let done = taken.iter().map(|n| **n).min().unwrap_or(0);
            head.state.changes.drain(..done);
            for n in &mut taken {
                **n -= done;
            }
        }
    }
}

impl Head {
    fn look(&mut self, frame: &LumaFrame<'_>, chroma: Option<&Chroma<'_>>) -> Look {
        let Some(chroma) = chroma.filter(|c| c.size.0 > 0 && c.size.1 > 0) else { return Look::Unclear };
        let eye = match self.eye.take() {
            Some(eye) if eye.fits(frame, chroma) => eye,
            _ => Eye::new(&self.config, frame, chroma),
        };
        let state = &mut self.state;
        let elapsed_s = state.latest.map_or(0.0, |at| frame.time.seconds_since(at));
        state.latest = Some(frame.time);
        state.peak *= (1.0 - elapsed_s * FADE).max(0.0) as f32;
        let (look, glow, lumas) = eye.look(frame, chroma, state.peak);
        state.unlit.resize(lumas.len(), None);
        self.eye = Some(eye);
        match look {
            Look::Lit(lamp, _) => {
                state.peak = state.peak.max(glow);
                state.covered = None;
                state.remember(lumas.iter().map(|(other, luma)| (*other != lamp).then_some(*luma)));
                look
            }
            Look::Blank => {
                let covered = state.unlit.iter().zip(&lumas).any(|(known, (_, luma))| {
                    known.is_some_and(|k| (luma - k).abs() > COVERED.max(COVERED_SHARE * k))
                });
                if covered {
                    let since = *state.covered.get_or_insert(frame.time);
                    if frame.time >= since.plus_seconds(COVERED_S) {
                        state.unlit.fill(None);
                    }
                    return Look::Unclear;
                }
                state.covered = None;
                state.remember(lumas.iter().map(|(_, luma)| Some(*luma)));
                // Dark, or the lamp that is lit is one that the camera does not see.
                if self.config.lamps.contains(&Lamp::Hidden) { Look::Unclear } else { Look::Blank }
            }
            Look::Unclear => look,
        }
    }
}

impl HeadState {
    fn remember(&mut self, lumas: impl Iterator<Item = Option<f32>>) {
        for (known, luma) in self.unlit.iter_mut().zip(lumas) {
            if let Some(luma) = luma {
                let before = known.unwrap_or(luma);
                *known = Some(before + FOLLOW * (luma - before));
            }
        }
    }
}

impl Group {
    /// Nothing at or before this instant will be added.
    fn settled(&self, heads: &[Head]) -> EventTime {
        let settled = self.heads.iter().map(|&h| heads[h].state.memory.settled()).min();
        let settled = settled.unwrap_or(EventTime::MAX);
        self.state.differ.map_or(settled, |differ| settled.min(differ.after))
    }

    /// Take in changes in the order of time, as far as every head has come.
    fn gather(&mut self, heads: &[Head], found: &mut Vec<LampChange>) {
        let settled = self.heads.iter().map(|&h| heads[h].state.memory.settled()).min();
        let Some(settled) = settled else { return };
        loop {
            let next = (self.heads.iter().zip(&self.state.taken).enumerate())
                .filter_map(|(place, (&h, &taken))| Some((heads[h].state.changes.get(taken)?.since, place)))
                .min();
            let until = next.map_or(settled, |(since, _)| since.min(settled));
            self.disagree(until, found);
            let Some((_, place)) = next.filter(|(since, _)| *since <= settled) else { return };
            let change = heads[self.heads[place]].state.changes[self.state.taken[place]];
            self.state.taken[place] += 1;
            self.state.heads[place] = change.shows;
            let others = self.heads.iter().zip(&self.state.taken);
            if others.filter_map(|(&h, &n)| heads[h].state.changes.get(n)).any(|c| c.since == change.since) {
                continue; // they have changed in one picture
            }
            match self.combined(heads) {
                Some(state) => {
                    // Heads that differed and agree again have changed one after the other.
                    let after = self.state.differ.take().map_or(change.after, |d| d.after.min(change.after));
                    self.tell(state, Change { after, ..change }, found);
                }
                None => self.state.differ = self.state.differ.or(Some(change)),
            }
        }
    }

    /// Heads that have differed for longer than a pulse tell nothing.
    fn disagree(&mut self, now: EventTime, found: &mut Vec<LampChange>) {
        if let Some(differ) = self.state.differ.filter(|d| now >= d.since.plus_seconds(DARK_S)) {
            self.tell(SignalState::Unknown, differ, found);
            // Told once; what follows begins when one of them changes.
            self.state.differ = None;
        }
    }

    fn tell(&mut self, state: SignalState, change: Change, found: &mut Vec<LampChange>) {
        if state == self.state.shows {
            return;
        }
        self.state.shows = state;
        let after = self.state.told.map_or(change.after, |told| told.max(change.after)).min(change.since);
        self.state.told = Some(change.since);
        let Change { since, confidence, .. } = change;
        found.push(LampChange { group: self.name.clone(), state, after, since, confidence });
    }

    /// What all heads together show; `None` when two differ.
    fn combined(&self, heads: &[Head]) -> Option<SignalState> {
        let shown = || self.heads.iter().zip(&self.state.heads).map(|(&h, shows)| (&heads[h].config, shows));
        let arrow = |wanted| shown().any(|(head, shows)| head.arrow && *shows == wanted);
        if arrow(Shows::Lit(Lamp::Green)) {
            return Some(SignalState::Green);
        }
        let full = || shown().filter(|(head, _)| !head.arrow).map(|(_, shows)| state_of(*shows));
        let mut lit = full().filter(|s| !matches!(s, SignalState::Unknown | SignalState::Dark));
        if let Some(first) = lit.next() {
            let agree = lit.all(|other| other == first).then_some(first);
            // An arrow that cannot be seen may let pass what the full head stops.
            let hidden = arrow(Shows::Unknown) && first != SignalState::Green;
            return if hidden && agree.is_some() { Some(SignalState::Unknown) } else { agree };
        }
        let mut rest = full().peekable();
        let dark = rest.peek().is_some() && rest.all(|s| s == SignalState::Dark);
        Some(if dark { SignalState::Dark } else { SignalState::Unknown })
    }
}

fn state_of(shows: Shows) -> SignalState {
    match shows {
        Shows::Lit(Lamp::Red) => SignalState::Red,
        Shows::Lit(Lamp::Amber) => SignalState::Amber,
        Shows::Lit(Lamp::Green) => SignalState::Green,
        Shows::Flashing => SignalState::FlashingAmber,
        Shows::Dark => SignalState::Dark,
        Shows::Unknown | Shows::Lit(Lamp::Hidden) => SignalState::Unknown,
    }
}

#[cfg(test)]
mod tests;

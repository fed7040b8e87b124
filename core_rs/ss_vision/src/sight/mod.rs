//! Whether a camera still sees its street: covered, blurred, moved or frozen, told from its own pictures.
//!
//! Once a second a picture is reduced to some 250 columns ([`small`]) and its
//! gradients are compared, tile by tile, with those of the street as it has
//! been for minutes ([`view`]). Edges that do not move are what a fixed camera
//! always sees; vehicles, rain and noise are averaged away over some seconds.
//! A frozen picture ([`still`]) is one that is the same to the last bit.
//!
//! Everything is a function of the pictures and their times.
//!
//! Source of the idea: Saglam & Temizel 2009, Real-time adaptive camera tamper
//! detection for video surveillance (edges of the background as what must stay).

mod small;
mod still;
mod view;

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, LumaFrame};

use small::Small;
use still::Still;
pub use view::Measures;
use view::{Finding, View};

/// Pictures are looked at so often, in nanoseconds of event time …
const LOOK_NS: i64 = 1_000_000_000;
/// … give or take what cameras' clocks jitter.
const JITTER_NS: i64 = 5_000_000;
/// After so many seconds without a look the seconds before say nothing of now.
const STALE_S: f64 = 5.0;
/// Good looks in a row after which a camera sees again.
const CLEAR_LOOKS: u32 = 5;
/// What is found reaches back to the last look beyond doubt, and over the seconds that this look was a mean of …
const SMEAR_S: f64 = 6.0;
/// … but no further than so many seconds.
const BACK_S: f64 = 120.0;

/// The condition of a camera changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SightChange {
    /// `covered`, `blurred`, `moved` or `frozen`.
    pub what: &'static str,
    /// It began; else it is over.
    pub opened: bool,
    /// Since when: the last look at which all was well, or the one at which it was over.
    pub since: EventTime,
    /// When it was found.
    pub found: EventTime,
    /// In words.
    pub detail: String,
    /// Of `moved`: how far to the right and down, in thousandths of the picture.
    pub shift: Option<(i16, i16)>,
}

/// Watches the pictures of one camera.
#[derive(Clone, Debug)]
pub struct Sight {
    state: SightState,
    small: Small,
}

/// The state of a [`Sight`], to be written down.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SightState {
    size: (usize, usize),
    looked: Option<EventTime>,
    view: View,
    still: Still,
    /// The last look at which the view was the usual one.
    good: Option<EventTime>,
    /// What the latest looks have found, and how many in a row.
    pending: Option<(Finding, u32)>,
    open: Option<Finding>,
    /// Good looks in a row since something opened.
    clear: u32,
}

impl Default for Sight {
    fn default() -> Self {
        Self::restore(SightState::default())
    }
}

impl Sight {
    /// Go on from a state; the default one has seen nothing.
    pub fn restore(state: SightState) -> Self {
        Self { small: Small::new(state.size.0, state.size.1), state }
    }

    /// Everything that later pictures depend on.
    pub fn state(&self) -> &SightState {
        &self.state
    }

    /// What the latest look was judged by, for diagnosis.
    pub fn measures(&self) -> Measures {
        self.state.view.measures
    }

    /// The next frame: what has changed is appended to `told`.
    pub fn see(&mut self, frame: &LumaFrame<'_>, told: &mut Vec<SightChange>) {
        let now = frame.time;
        if self.state.looked.is_some_and(|at| (0..LOOK_NS - JITTER_NS).contains(&(now.0 - at.0))) {
            return;
        }
        if self.state.size != (frame.width, frame.height) {
            self.begin(frame, told);
        }
        if !self.small.take(frame) {
            return;
        }
        let stale = self.state.looked.is_none_or(|at| !(0.0..=STALE_S).contains(&now.seconds_since(at)));
        self.state.looked = Some(now);
        self.state.still.look(frame, told);
        if stale {
            self.state.view.forget_now();
            self.state.pending = None;
        }
        let finding = self.state.view.look(&self.small.plane);
        self.weigh(finding, now, told);
    }

    /// Pictures of another size are another view.
    fn begin(&mut self, frame: &LumaFrame<'_>, told: &mut Vec<SightChange>) {
        let detail = "pictures of another size";
        if let Some(open) = self.state.open {
            told.push(change(open.what(), false, frame.time, frame.time, detail.into()));
        }
        self.state.still.end(frame.time, detail, told);
        self.state = SightState { size: (frame.width, frame.height), ..SightState::default() };
        self.small = Small::new(frame.width, frame.height);
    }

    fn weigh(&mut self, finding: Finding, now: EventTime, told: &mut Vec<SightChange>) {
        let state = &mut self.state;
        let Some(needs) = finding.looks() else {
            state.pending = None;
            state.clear = if finding == Finding::Usual { state.clear + 1 } else { 0 };
            if state.view.is_clear(finding) && state.open.is_none() {
                state.good = Some(now);
            }
            if state.clear >= CLEAR_LOOKS
                && let Some(open) = state.open.take()
            {
                told.push(change(open.what(), false, now, now, "the street is seen again".into()));
                state.good = Some(now);
            }
            return;
        };
        state.clear = 0;
        let looks = match state.pending {
            Some((before, looks)) if before.is_like(finding) => looks + 1,
            _ => 1,
        };
        state.pending = Some((finding, looks));
        let same = state.open.is_some_and(|open| open.what() == finding.what());
        if looks < needs || same {
            return;
        }
        let since = if let Some(open) = state.open.take() {
            // One thing after another: it has not been well in between.
            told.push(change(open.what(), false, now, now, format!("now {}", finding.what())));
            now
        } else {
            let good = state.good.map_or(now, |good| good.plus_seconds(-SMEAR_S));
            good.max(now.plus_seconds(-BACK_S))
        };
        let opened = change(finding.what(), true, since, now, finding.detail());
        told.push(SightChange { shift: finding.shift(), ..opened });
        state.open = Some(finding);
    }
}

fn change(
    what: &'static str,
    opened: bool,
    since: EventTime,
    found: EventTime,
    detail: String,
) -> SightChange {
    SightChange { what, opened, since, found, detail, shift: None }
}

#[cfg(test)]
mod tests;

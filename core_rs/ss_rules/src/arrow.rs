//! Movements with a light of their own: a green arrow beside a red light.
//!
//! Two who come over the stop line side by side, one to the right on the
//! arrow, one straight on against the red, look alike until one of them
//! turns. So the table of [`crate::light`] is kept once for every light that
//! may rule the vehicle, and told when they agree, or when an exit line has
//! shown where it went. Where that is not seen, the lights disagree, and
//! nobody is accused.
//!
//! Source: Luật 36/2024/QH15 Điều 11.4; QCVN 41:2024/BGTVT, arrow lights.

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, Point, VehicleClass};

use crate::config::{LineKind, Movement};
use crate::context::{Context, Seen};
use crate::footprint::longest_m;
use crate::light::{LightRule, LightState};
use crate::movement::{GONE_M, GONE_S};
use crate::outcome::{Candidate, Reason};
use crate::place::Layout;
use crate::track::TrackState;
use crate::verdict::doubt_reason;

/// One track under every light that may rule it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ArrowState {
    ways: Vec<Way>,
    exit: Option<Exit>,
    /// Last frame before the crossing in which its front was still before the line, and what it was taken for then.
    front_before: Option<(EventTime, VehicleClass)>,
    done: bool,
}

/// What the table says if the vehicle goes there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Way {
    state: LightState,
    found: Option<Candidate>,
}

/// Where the vehicle went, and between which frames that showed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Exit {
    movement: Movement,
    from: EventTime,
    to: EventTime,
    /// Where its foot passed beside the end of the exit line: it may yet go another way.
    unsure_at: Option<Point>,
}

/// Movements by which a vehicle over `line` may be judged: those with an arrow, and first of all any other.
pub fn movements(layout: &Layout, line: u16) -> Vec<Option<Movement>> {
    let lanes = layout.lines[usize::from(line)].lanes.iter().map(|s| &layout.lanes[usize::from(s.lane)]);
    let mut arrows: Vec<_> = lanes.flat_map(|lane| lane.arrows.iter().map(|(m, _)| Some(*m))).collect();
    arrows.push(None);
    arrows.sort_unstable();
    arrows.dedup();
    arrows
}

impl LightRule {
    /// Take in an observation of a track and the lines it crossed with it.
    pub fn observe(&self, cx: &Context<'_>, seen: &Seen<'_>, state: &mut ArrowState) -> Option<Candidate> {
        if state.done {
            return None;
        }
        // For what is longer its front may have been over by then.
        let most_m = longest_m(seen.track.class);
        let front = state.front_before.filter(|(_, class)| longest_m(*class) >= most_m).map(|(time, _)| time);
        if state.front_before.is_some() && front.is_none() && self.foot_is_before(cx, seen) {
            state.ways.clear(); // entered by the front of what it was taken for
        }
        let crossing = self.crossing(cx, seen, front);
        if state.ways.is_empty() && crossing.is_none() {
            self.look_for_front(cx, seen, state);
            return None;
        }
        state.ways.resize_with(self.movements.len(), Way::default);
        for (way, &movement) in state.ways.iter_mut().zip(&self.movements) {
            let found = self.observe_as(cx, seen, (movement, front), crossing, &mut way.state);
            way.found = way.found.take().or(found);
        }
        if state.ways.iter().any(|w| w.state.is_over()) {
            self.leave(cx, seen, state);
        }
        let way = agreed(&state.ways).or_else(|| self.by_exit(state))?;
        let told = state.ways[way].found.clone().map(|found| prove(seen.track, state, found));
        *state = ArrowState { done: true, ..ArrowState::default() };
        told
    }

    /// Take in an observation of a track that has not crossed the line; also of one that seems to be on foot, as riders
    /// do of whom only the upper half is in the picture.
    pub fn look_for_front(&self, cx: &Context<'_>, seen: &Seen<'_>, state: &mut ArrowState) {
        if state.ways.is_empty() && self.is_before(cx, seen) {
            state.front_before = Some((seen.now, seen.track.class));
        }
    }

    /// The track has ended: what was open is settled.
    pub fn end(
        &self,
        cx: &Context<'_>,
        id: u32,
        track: &TrackState,
        state: &mut ArrowState,
    ) -> Option<Candidate> {
        for way in &mut state.ways {
            let found = self.end_as(cx, id, track, &mut way.state);
            way.found = way.found.take().or(found);
            way.state.done = true;
        }
        let ways = track.heading(2.0).map(|out| (self.way_in(cx), out));
        let has_turned = |m| ways.is_some_and(|ways| cx.layout.has_turned(m, ways, track.place().foot));
        state.exit = state.exit.filter(|exit| exit.unsure_at.is_none() || has_turned(exit.movement));
        if let Some(exit) = &mut state.exit {
            exit.unsure_at = None;
        }
        let told = match agreed(&state.ways).or_else(|| self.by_exit(state)) {
            Some(way) => state.ways[way].found.clone().map(|found| prove(track, state, found)),
            None => state.ways.iter().find_map(|w| w.found.clone()).map(|mut found| {
                found.doubts.push(Reason::MovementUnknown);
                found
            }),
        };
        *state = ArrowState { done: true, ..ArrowState::default() };
        told
    }

    /// Where it leaves, as far as this observation tells.
    fn leave(&self, cx: &Context<'_>, seen: &Seen<'_>, state: &mut ArrowState) {
        if state.exit.is_none_or(|exit| exit.unsure_at.is_some()) {
            let crossed = self.exit(cx, seen).filter(|new| state.exit.is_none() || new.unsure_at.is_none());
            state.exit = crossed.or(state.exit);
        }
        let Some((exit, at)) = state.exit.and_then(|exit| Some((exit, exit.unsure_at?))) else { return };
        let gone_m = (seen.place.pos - at).length() * seen.place.unit_m;
        if gone_m >= GONE_M || seen.now >= exit.to.plus_seconds(GONE_S) {
            let shows =
                self.ways(cx, seen).is_some_and(|w| cx.layout.shows(exit.movement, w, seen.place.foot));
            state.exit = Some(Exit { unsure_at: None, ..exit }).filter(|_| shows);
        }
    }

    /// The way over the stop line and the way it heads now.
    fn ways(&self, cx: &Context<'_>, seen: &Seen<'_>) -> Option<(Point, Point)> {
        seen.track.heading(2.0).map(|out| (self.way_in(cx), out))
    }

    fn way_in(&self, cx: &Context<'_>) -> Point {
        let stop = &cx.layout.lines[usize::from(self.line)];
        stop.way_over(stop.lawful_rightward.unwrap_or(true))
    }

    /// The exit line that this observation has crossed.
    fn exit(&self, cx: &Context<'_>, seen: &Seen<'_>) -> Option<Exit> {
        let ways = self.ways(cx, seen)?;
        seen.crossed.iter().find_map(|(line, crossing)| {
            let road = &cx.layout.lines[usize::from(*line)];
            let movement = road.movement.filter(|_| road.kind == LineKind::Exit)?;
            let shows = cx.layout.shows(movement, ways, seen.place.foot);
            let unsure_at = (crossing.beyond > 0.0).then_some(seen.place.pos);
            shows.then_some(Exit { movement, from: crossing.from, to: crossing.to, unsure_at })
        })
    }

    /// The way that the exit line shows, once the table is through with it.
    fn by_exit(&self, state: &ArrowState) -> Option<usize> {
        let went = state.exit.filter(|exit| exit.unsure_at.is_none())?.movement;
        let of = |movement| self.movements.iter().position(|m| *m == Some(movement));
        let (own, others) = (of(went), 0);
        // Who may turn left may turn back, and where an arrow holds back the left alone, nobody is accused by it.
        let left = of(Movement::Left).filter(|_| own.is_none() && went == Movement::UTurn);
        let ways = [own.unwrap_or(others), left.unwrap_or(own.unwrap_or(others))];
        let done = ways.iter().all(|&way| state.ways[way].state.done);
        ways.into_iter().min_by_key(|&way| state.ways[way].found.is_some()).filter(|_| done)
    }
}

/// What rests on where the vehicle went has its proof only there.
fn prove(track: &TrackState, state: &ArrowState, mut found: Candidate) -> Candidate {
    if let Some(exit) = state.exit.filter(|_| agreed(&state.ways).is_none()) {
        let doubt = doubt_reason(track.doubt_since(found.first()));
        found.doubts.extend(doubt.filter(|d| !found.doubts.contains(d)));
        found.explanation = found.explanation.interval("exit_line", exit.from, exit.to);
    }
    found
}

/// The first way, when the table is through with all and says the same of each.
fn agreed(ways: &[Way]) -> Option<usize> {
    let said = |way: &Way| way.found.as_ref().map(|c| (c.kind, c.doubts.clone()));
    let first = said(ways.first()?);
    ways.iter().all(|w| w.state.done && said(w) == first).then_some(0)
}

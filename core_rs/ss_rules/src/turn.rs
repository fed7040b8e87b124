//! Turning back: a path that leaves as it came, in a zone or over an exit line.
//!
//! Source: NĐ 168/2024 Điều 6.4.i, 6.4.k; the path turns by 150–210°.

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, Point};

use crate::config::{LineKind, Movement};
use crate::context::{Context, Seen};
use crate::outcome::{Candidate, Explanation, Reason, RuleKind};
use crate::track::{GRIP_MPS2, TrackState};
use crate::verdict::doubt_reason;

/// A heading is that of the last metres: shorter ways are tremble.
const HEADING_M: f64 = 2.0;
/// cos 150°.
const BACK_COS: f64 = -0.866;
/// cos 30°: from here on a path is turning.
const TURNING_COS: f64 = 0.866;
/// The way back lies beside the way in: shuffling back and forth is no turn.
const ASIDE_M: f64 = 2.0;
/// Out of the zone for longer than this is having left it.
const BRIEFLY_AWAY_S: f64 = 0.3;

/// The rule: in a zone, over a line, or either.
#[derive(Clone, Debug)]
pub struct TurnRule {
    /// Zone in which the path turns back.
    pub zone: Option<u16>,
    /// Exit line that shows a U-turn.
    pub line: Option<u16>,
}

/// One track under the rule.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TurnState {
    done: bool,
    way: Option<Way>,
}

/// A way through the zone, or from a stop line on.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Way {
    /// Entered the zone, or crossed the stop line.
    since: EventTime,
    lane: Option<u16>,
    start: Point,
    /// Heading on the way in, once known.
    inward: Option<Point>,
    /// First instant of the turn that is going on.
    turning: Option<EventTime>,
    /// Furthest beside the way in.
    aside_m: f64,
    /// Last observation in the zone.
    last: EventTime,
    /// Heading at it, against the way in.
    cos: f64,
}

impl TurnRule {
    /// Take in an observation of a track.
    pub fn observe(&self, cx: &Context<'_>, seen: &Seen<'_>, state: &mut TurnState) -> Option<Candidate> {
        if state.done {
            return None;
        }
        let over = |l: &u16| seen.crossed.iter().any(|(line, _)| line == l);
        let by_line =
            self.line.filter(|l| over(l) && state.way.as_ref().is_some_and(|way| way.turns_back(cx, seen)));
        if let Some(line) = by_line {
            let mut way = state.way.take()?;
            way.advance(seen);
            state.done = true;
            let mut found = way.candidate(seen.id, seen.track, None, Some(line));
            found.doubts.extend(seen.place.is_cut().then_some(Reason::MovementUnknown));
            return Some(found);
        }
        let is_in = self.zone.is_some_and(|z| seen.track.is_in_zone(z));
        let stop = |l: &u16| cx.layout.lines[usize::from(*l)].kind == LineKind::Stop;
        let begins = is_in || self.line.is_some() && seen.crossed.iter().any(|(l, _)| stop(l));
        match &mut state.way {
            None if begins => state.way = Some(Way::new(seen)),
            None => return None,
            Some(way) => {
                // Of a way that only a line ends, every metre counts.
                if is_in || self.zone.is_none() {
                    way.advance(seen);
                } else if seen.now > way.last.plus_seconds(BRIEFLY_AWAY_S) {
                    return self.leave(seen, state);
                }
            }
        }
        None
    }

    /// The track has ended: a turn whose end was not seen stays open.
    pub fn end(&self, id: u32, track: &TrackState, state: &mut TurnState) -> Option<Candidate> {
        let way = state.way.take().filter(|w| self.zone.is_some() && w.has_turned_back())?;
        let mut found = way.candidate(id, track, self.zone, None);
        found.doubts.push(Reason::TrackLost);
        Some(found)
    }

    fn leave(&self, seen: &Seen<'_>, state: &mut TurnState) -> Option<Candidate> {
        let way = state.way.take().filter(Way::has_turned_back)?;
        state.done = true;
        Some(way.candidate(seen.id, seen.track, self.zone, None))
    }
}

impl Way {
    fn new(seen: &Seen<'_>) -> Self {
        Self {
            since: seen.now,
            lane: seen.track.lane_remembered(seen.now),
            start: seen.place.pos,
            inward: seen.track.heading(HEADING_M),
            turning: None,
            aside_m: 0.0,
            last: seen.now,
            cos: 1.0,
        }
    }

    fn advance(&mut self, seen: &Seen<'_>) {
        self.last = seen.now;
        if seen.place.is_cut() {
            return; // its foot goes along the edge of the picture
        }
        let heading = seen.track.heading(HEADING_M);
        let (Some(inward), Some(heading)) = (self.inward, heading) else {
            self.inward = self.inward.or(heading);
            return;
        };
        self.cos = inward.dot(heading);
        let aside_m = inward.cross(seen.place.pos - self.start).abs() * seen.place.unit_m;
        self.aside_m = self.aside_m.max(aside_m);
        if self.cos > TURNING_COS {
            self.turning = None;
        } else if self.turning.is_none() {
            self.turning = Some(seen.now);
        }
    }

    /// Whether it comes back: the exit line is also the way out of others, who came from elsewhere.
    fn turns_back(&self, cx: &Context<'_>, seen: &Seen<'_>) -> bool {
        let ways = self.inward.zip(seen.track.heading(HEADING_M));
        ways.is_none_or(|ways| cx.layout.shows(Movement::UTurn, ways, seen.place.foot))
    }

    fn has_turned_back(&self) -> bool {
        self.cos <= BACK_COS && self.aside_m >= ASIDE_M
    }

    /// Least time in which tyres bring a vehicle round on half a circle as wide as this way was, in seconds:
    /// what pulls it inward is rate² × radius. The turn is timed from its first 30°. What turns back in less is two
    /// vehicles that were taken for one.
    fn least_turn_s(&self) -> f64 {
        let timed = self.cos.clamp(-1.0, 1.0).acos() - TURNING_COS.acos();
        timed * (self.aside_m / 2.0 / GRIP_MPS2).sqrt()
    }

    fn candidate(&self, id: u32, track: &TrackState, zone: Option<u16>, line: Option<u16>) -> Candidate {
        let start = self.turning.unwrap_or(self.since);
        let (turn_s, least_s) = (self.last.seconds_since(start), self.least_turn_s());
        let mut doubts: Vec<Reason> = doubt_reason(track.doubt_since(self.since)).into_iter().collect();
        if turn_s < least_s && doubts.is_empty() {
            doubts.push(Reason::IdentityDoubt);
        }
        let explanation = Explanation::default()
            .interval("turn", start, self.last)
            .fact("turned_deg", self.cos.clamp(-1.0, 1.0).acos().to_degrees())
            .fact("aside_m", self.aside_m)
            .fact("hits", f64::from(track.hits))
            .threshold("min_turn_s", least_s)
            .threshold("min_turn_deg", 150.0)
            .threshold("min_aside_m", ASIDE_M);
        Candidate {
            until: Some(self.last),
            lane: self.lane,
            line,
            zone,
            doubts,
            explanation,
            ..Candidate::new(RuleKind::UTurn, start, id, track.class)
        }
    }
}

//! Red, amber and stop line: one decision table.
//!
//! Let *p* be the distance past the stop line, *tY* and *tR* the onsets of
//! amber and red, *g* the grace, *D* the incursion:
//!
//! | p(tY) | p(tR) | max p during red | result |
//! |---|---|---|---|
//! | ≥ 0 | any | any | none |
//! | < 0 | ≥ 0 | – | yellow light |
//! | < 0 | < 0 | ≤ 0 | none |
//! | < 0 | < 0 | 0 < p < D, standing | stop line |
//! | < 0 | < 0 | ≥ D | red light |
//!
//! The crossing is known only within the interval between two frames, widened
//! by the uncertainty of the clock. Where that interval meets more than one
//! row of the table, or a light changes in it, nothing is held against
//! anybody. The law asks for the front of the vehicle, and a camera that looks
//! after it sees its rear: the interval then begins when the front of the longest
//! vehicle of its class was last before the line, and ends when that of the
//! shortest is past it, by which *p* is measured, too. Unknown, dark and flashing lights are no red and no amber.
//!
//! Source: Luật 36/2024/QH15 Điều 11.4.b; QCVN 41:2024/BGTVT vạch 7.1.

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, SignalState};

use crate::config::Movement;
use crate::context::{Context, Seen};
use crate::crossing::{Crossing, DEAD_BAND_M};
use crate::footprint::{Ahead, front_ahead, reach_m};
use crate::outcome::{Candidate, Explanation, Reason, RuleKind, SignalFact};
use crate::outline::Outline;
use crate::place::RoadLine;
use crate::signals::Meanings;
use crate::track::TrackState;
use crate::verdict::doubt_reason;

/// A vehicle that has not stood for this long was under way.
const UNDER_WAY_S: f64 = 0.5;
/// A foot point rolls half a metre before it stands and half a metre before it
/// counts as gone. Who backs off the line has stood shorter by this.
const ROLLS_S: f64 = 1.5;
/// Who has stood past the line has gone on when seen further in for this long: the box of one who stands jumps, too.
const GOES_ON_S: f64 = 0.5;

/// A heading is that of this way.
const HEADING_M: f64 = 2.0;
/// Further from the line than any vehicle is long.
const FAR_M: f64 = 25.0;

/// The decision table at one stop line, with the kinds that publish.
#[derive(Clone, Debug)]
pub struct LightRule {
    /// Index of the stop line.
    pub line: u16,
    /// A younger red is not held against anybody.
    pub grace_s: f64,
    /// Past the line by this much on red is having gone on.
    pub incursion_m: f64,
    /// Shortest standstill past the line.
    pub min_stop_s: f64,
    /// Braking beyond this marks the dilemma zone.
    pub dilemma_mps2: f64,
    /// Kinds with a rule of their own.
    pub armed: Vec<RuleKind>,
    /// Movements that a light of their own rules here; first of all `None`, the others. See [`crate::arrow`].
    pub movements: Vec<Option<Movement>>,
}

/// One track under the decision table, by the light of one movement.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LightState {
    /// The line has been judged: once per track.
    pub done: bool,
    entry: Option<Entry>,
}

impl LightState {
    /// The vehicle has crossed the line.
    pub fn is_over(&self) -> bool {
        self.done || self.entry.is_some()
    }
}

/// A crossing that may have been on red and is being watched.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    crossing: Crossing,
    /// When its front was last seen before the line.
    began: EventTime,
    /// Its front was over the line when it was first seen.
    front_unseen: bool,
    lane: Option<u16>,
    /// Groups that may rule it; the first is that of its lane.
    groups: Vec<u16>,
    meanings: Meanings,
    /// The doubt is about the lane, not about the instant.
    astride: bool,
    /// It crossed beside every lane of the line, and the junction has lights that rule none of them: it may have come
    /// by a lane that nobody has drawn.
    beside: bool,
    deepest_m: f64,
    stop: Option<Stop>,
    outline: Outline,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stop {
    since: EventTime,
    until: EventTime,
    /// Since when every frame has shown it beyond the incursion.
    left: Option<EventTime>,
    doubts: Vec<Reason>,
}

impl Stop {
    /// One more frame: whether it has been `beyond` the incursion for so long that it has gone on, and its box not jumped.
    fn has_left(&mut self, beyond: bool, now: EventTime) -> bool {
        self.left = beyond.then(|| self.left.unwrap_or(now));
        self.left.is_some_and(|since| now >= since.plus_seconds(GOES_ON_S))
    }
}

impl Entry {
    /// Within which it crossed, by a clock that is off by no more than `clock_s`.
    fn interval(&self, clock_s: f64) -> (EventTime, EventTime) {
        self.outline.interval(&Crossing { from: self.began, ..self.crossing }, clock_s)
    }

    /// Why the instant of the crossing does not prove what `sure` would.
    fn doubts_of_instant(&self, sure: Meanings) -> Vec<Reason> {
        let why = match (self.meanings.disputed, self.astride || self.beside) {
            (true, _) => Reason::SourcesDisagree,
            (false, true) => Reason::LaneAmbiguous,
            (false, false) => Reason::PhaseBoundary,
        };
        let mut doubts = if self.meanings == sure && !self.beside { Vec::new() } else { vec![why] };
        doubts.extend(self.front_unseen.then_some(Reason::AppearedAtLine));
        doubts
    }
}

impl LightRule {
    /// Whether a rule of its own publishes what the table found.
    pub fn publishes(&self, candidate: &Candidate) -> bool {
        self.armed.contains(&candidate.kind)
    }

    /// Whether the front of a vehicle that comes to the line is still before it.
    pub fn is_before(&self, cx: &Context<'_>, seen: &Seen<'_>) -> bool {
        let offset_m = seen.track.lines[usize::from(self.line)].offset_m().filter(|m| m.abs() > DEAD_BAND_M);
        let (_, furthest_m) = reach_m(seen.track.class);
        offset_m.is_some_and(|m| m.abs() >= furthest_m || m.abs() >= self.front_ahead(cx, seen, m < 0.0).most)
    }

    fn front_ahead(&self, cx: &Context<'_>, seen: &Seen<'_>, rightward: bool) -> Ahead {
        let way = cx.layout.lines[usize::from(self.line)].way_over(rightward);
        front_ahead(&cx.layout.view, &seen.place, way, seen.track.class)
    }

    /// How far past the line the foot is, and how far the front is at least, metres.
    fn past_m(&self, cx: &Context<'_>, seen: &Seen<'_>, rightward: bool) -> Option<(f64, f64)> {
        let foot_m =
            seen.track.lines[usize::from(self.line)].offset_m()? * if rightward { 1.0 } else { -1.0 };
        let heading = || seen.track.heading(HEADING_M).filter(|_| seen.track.class_is_sure());
        if foot_m.abs() > FAR_M {
            return Some((foot_m, foot_m));
        }
        let ahead_m = heading().map_or(0.0, |heading| {
            let over = cx.layout.lines[usize::from(self.line)].way_over(rightward);
            let ahead = front_ahead(&cx.layout.view, &seen.place, heading, seen.track.class);
            ahead.least * heading.dot(over).max(0.0)
        });
        Some((foot_m, foot_m + ahead_m))
    }

    /// The crossing that this observation completes: of the foot point or, before that, of the front of a vehicle seen
    /// from behind. The front of the longest was last before the line at `before`, that of the shortest is past it now,
    /// for which it is told.
    pub fn crossing(&self, cx: &Context<'_>, seen: &Seen<'_>, before: Option<EventTime>) -> Option<Crossing> {
        let by_foot = seen.crossed.iter().find(|(line, _)| *line == self.line).map(|(_, c)| *c);
        by_foot.or_else(|| self.crossing_of_front(cx, seen, before?))
    }

    /// Whether the foot point of a vehicle that comes to the line is still before it.
    pub fn foot_is_before(&self, cx: &Context<'_>, seen: &Seen<'_>) -> bool {
        let lawful = cx.layout.lines[usize::from(self.line)].lawful_rightward;
        lawful.and_then(|rightward| self.past_m(cx, seen, rightward)).is_some_and(|(foot_m, _)| foot_m <= 0.0)
    }

    fn crossing_of_front(&self, cx: &Context<'_>, seen: &Seen<'_>, before: EventTime) -> Option<Crossing> {
        let road = &cx.layout.lines[usize::from(self.line)];
        let rightward = road.lawful_rightward?;
        let (furthest_m, _) = reach_m(seen.track.class);
        seen.track.lines[usize::from(self.line)].offset_m().filter(|m| m.abs() < furthest_m)?;
        let (foot_m, front_m) = self.past_m(cx, seen, rightward)?;
        if foot_m > 0.0 || front_m <= DEAD_BAND_M || road.line.beyond(seen.place.pos) > 0.0 {
            return None;
        }
        Some(Crossing {
            from: before,
            to: seen.now,
            time: seen.now,
            station: road.line.station(seen.place.pos),
            unit_m: seen.place.unit_m,
            beyond: 0.0,
            rightward,
            step_m: 0.0,
        })
    }

    /// Take in an observation of a track and the `crossing` of the line that it completes, taken to go where `movement`
    /// says; its front was last before the line at `front`.
    pub fn observe_as(
        &self,
        cx: &Context<'_>,
        seen: &Seen<'_>,
        (movement, front): (Option<Movement>, Option<EventTime>),
        crossing: Option<Crossing>,
        state: &mut LightState,
    ) -> Option<Candidate> {
        if state.done {
            return None;
        }
        let (id, track) = (seen.id, seen.track);
        let road = &cx.layout.lines[usize::from(self.line)];
        if state.entry.is_none() {
            let entry = self.enter(cx, road, seen, (crossing?, movement, front))?;
            if entry.meanings.red || entry.meanings.amber && entry.outline.is_one {
                state.entry = Some(entry);
            } else {
                state.done = true;
                return entry.meanings.amber.then(|| self.yellow(cx, id, track, &entry, None));
            }
        }
        let entry = state.entry.as_mut()?;
        entry.outline.look(cx, seen);
        let (_, past_m) = self.past_m(cx, seen, entry.crossing.rightward)?;
        let found = self.watch(cx, id, track, seen.now, past_m, entry)?;
        *state = LightState { done: true, entry: None };
        found
    }

    /// The track has ended: what was open is settled.
    pub fn end_as(
        &self,
        cx: &Context<'_>,
        id: u32,
        track: &TrackState,
        state: &mut LightState,
    ) -> Option<Candidate> {
        let entry = state.entry.take()?;
        state.done = true;
        if !entry.meanings.red {
            return Some(self.yellow(cx, id, track, &entry, Some(Reason::NearLine)));
        }
        let stands = track.last >= track.standstill.since.plus_seconds(UNDER_WAY_S);
        if entry.stop.is_none() && !stands {
            return Some(self.red(cx, id, track, &entry, Some(Reason::TrackLost)));
        }
        self.settle(cx, id, track, &entry)
    }

    /// A forward crossing, with everything it could mean.
    fn enter(
        &self,
        cx: &Context<'_>,
        road: &RoadLine,
        seen: &Seen<'_>,
        (crossing, movement, front): (Crossing, Option<Movement>, Option<EventTime>),
    ) -> Option<Entry> {
        let track = seen.track;
        let lanes = cx.layout.lanes_of_crossing(self.line, &crossing, track.lane_remembered(crossing.from));
        let lane = lanes.first().copied();
        if !road.is_forward(crossing.rightward, lane.map(|l| &cx.layout.lanes[usize::from(l)])) {
            return None;
        }
        let group_of = |l: u16| cx.layout.lanes[usize::from(l)].group_for(movement);
        if lane.is_some_and(|l| group_of(l).is_none()) {
            return None; // a lane without a light
        }
        // Beside every lane it may have come from any of them.
        let all = road.lanes.iter().map(|s| s.lane).filter(|_| lane.is_none());
        let (mut groups, mut unlit): (Vec<u16>, bool) = (Vec::new(), false);
        for l in lanes.iter().copied().chain(all) {
            match group_of(l) {
                Some(group) if !groups.contains(&group) => groups.push(group),
                Some(_) => {}
                None => unlit |= road.is_forward(crossing.rightward, Some(&cx.layout.lanes[usize::from(l)])),
            }
        }
        let from_behind = self.front_ahead(cx, seen, crossing.rightward).most > DEAD_BAND_M;
        let mut entry = Entry {
            crossing,
            began: if from_behind { front.unwrap_or(track.first).min(crossing.from) } else { crossing.from },
            front_unseen: from_behind && front.is_none(),
            lane,
            groups: Vec::new(),
            meanings: Meanings::default(),
            astride: false,
            beside: false,
            deepest_m: 0.0,
            stop: None,
            outline: Outline::new(&cx.layout.view, road, track, &crossing),
        };
        let (from, to) = entry.interval(cx.layout.clock_s);
        let of = |g: &u16| cx.signals[usize::from(*g)].meanings(from, to, self.grace_s);
        let own = of(groups.first()?);
        let mut meanings = groups.iter().map(of).fold(own, Meanings::or);
        meanings.free |= unlit; // no light rules the lane beside it
        entry.astride = meanings != own;
        entry.beside = lane.is_none() && groups.len() < cx.signals.len();
        (entry.groups, entry.meanings) = (groups, meanings);
        Some(entry)
    }

    /// One more frame of a crossing that may have been on red. Answers when
    /// the matter is settled: with or without a candidate.
    #[allow(clippy::option_option)] // outer: settled; inner: how
    fn watch(
        &self,
        cx: &Context<'_>,
        id: u32,
        track: &TrackState,
        now: EventTime,
        past_m: f64,
        entry: &mut Entry,
    ) -> Option<Option<Candidate>> {
        if !entry.meanings.red {
            return self.watch_amber(cx, id, track, now, past_m, entry);
        }
        // Red for every light that may rule it, and for one of them at least.
        let red = |until: EventTime| {
            let until = until.plus_seconds(cx.layout.clock_s);
            let shows = |g: &u16| {
                cx.signals[usize::from(*g)].is_throughout(SignalState::Red, entry.crossing.to, until)
            };
            (entry.groups.iter().all(shows), entry.groups.iter().any(shows))
        };
        let beyond = past_m >= self.incursion_m;
        let went_on = entry.stop.as_mut().map_or(beyond, |stop| stop.has_left(beyond, now));
        let (red_for_all, red_for_any) = red(now);
        if !red_for_any && now > entry.crossing.to {
            let unsettled = went_on && entry.stop.is_none() && red(track.before).1;
            return Some(if unsettled {
                Some(self.red(cx, id, track, entry, Some(Reason::RedEndedMeanwhile)))
            } else {
                self.settle(cx, id, track, entry)
            });
        }
        entry.deepest_m = entry.deepest_m.max(past_m);
        if went_on {
            let unclear = !red_for_all && entry.meanings == Meanings::RED && now > entry.crossing.to;
            let why = unclear.then_some(Reason::LaneAmbiguous);
            return Some(Some(self.red(cx, id, track, entry, why)));
        }
        if past_m < -DEAD_BAND_M {
            let least_s = self.min_stop_s + ROLLS_S;
            entry.stop = entry.stop.take().filter(|s| s.until.seconds_since(s.since) >= least_s);
            return Some(self.settle(cx, id, track, entry));
        }
        let since = track.standstill.since.max(entry.crossing.to);
        if now >= since.plus_seconds(self.min_stop_s) {
            match &mut entry.stop {
                Some(stop) if stop.since == since => stop.until = now,
                Some(_) => {}
                None => {
                    let doubts = doubt_reason(track.doubt_since(entry.crossing.from)).into_iter().collect();
                    entry.stop = Some(Stop { since, until: now, left: None, doubts });
                }
            }
        }
        None
    }

    /// One more frame of an outline that crossed on amber: where its foot is, it knows by half a metre and more,
    /// so it must have gone on.
    #[allow(clippy::option_option)] // as above
    fn watch_amber(
        &self,
        cx: &Context<'_>,
        id: u32,
        track: &TrackState,
        now: EventTime,
        past_m: f64,
        entry: &Entry,
    ) -> Option<Option<Candidate>> {
        let stands = now >= track.standstill.since.max(entry.crossing.to).plus_seconds(self.min_stop_s);
        let why = if past_m >= self.incursion_m { None } else { Some(Reason::NearLine) };
        let settled = why.is_none() || stands || past_m < -DEAD_BAND_M;
        settled.then(|| Some(self.yellow(cx, id, track, entry, why)))
    }

    /// The vehicle did not go on during red: it stood there, or nothing happened.
    fn settle(&self, cx: &Context<'_>, id: u32, track: &TrackState, entry: &Entry) -> Option<Candidate> {
        match &entry.stop {
            Some(stop) => {
                let mut doubts = entry.doubts_of_instant(Meanings::RED);
                doubts.extend(stop.doubts.iter().copied());
                let mut found = self.candidate(cx, id, track, RuleKind::StopLine, entry, doubts);
                found.until = Some(stop.until);
                found.explanation = found
                    .explanation
                    .fact("stood_s", stop.until.seconds_since(stop.since))
                    .fact("deepest_m", entry.deepest_m)
                    .threshold("min_stop_s", self.min_stop_s)
                    .threshold("incursion_m", self.incursion_m);
                Some(found)
            }
            None => entry.meanings.amber.then(|| self.yellow(cx, id, track, entry, None)),
        }
    }

    fn red(
        &self,
        cx: &Context<'_>,
        id: u32,
        track: &TrackState,
        entry: &Entry,
        why: Option<Reason>,
    ) -> Candidate {
        let doubts = doubts(track, entry, Meanings::RED, why);
        let mut found = self.candidate(cx, id, track, RuleKind::RedLight, entry, doubts);
        found.explanation = found
            .explanation
            .fact("deepest_m", entry.deepest_m)
            .interval("gone_on", entry.crossing.to, track.last)
            .threshold("incursion_m", self.incursion_m)
            .threshold("grace_s", self.grace_s);
        found
    }

    fn yellow(
        &self,
        cx: &Context<'_>,
        id: u32,
        track: &TrackState,
        entry: &Entry,
        why: Option<Reason>,
    ) -> Candidate {
        let doubts = doubts(track, entry, Meanings::AMBER, why);
        let mut found = self.candidate(cx, id, track, RuleKind::YellowLight, entry, doubts);
        let onset = found.signal.map(|s| s.phase.since);
        if let Some((distance_m, speed_mps)) =
            onset.and_then(|t| self.approach(cx, track, entry.crossing.rightward, t))
        {
            let braking_mps2 = speed_mps * speed_mps / (2.0 * distance_m);
            found.dilemma = braking_mps2 > self.dilemma_mps2;
            found.explanation = found
                .explanation
                .fact("distance_at_amber_m", distance_m)
                .fact("speed_at_amber_mps", speed_mps)
                .fact("braking_mps2", braking_mps2)
                .threshold("dilemma_mps2", self.dilemma_mps2);
        }
        found
    }

    /// Distance of its front before the line and speed towards it at the onset of amber.
    fn approach(
        &self,
        cx: &Context<'_>,
        track: &TrackState,
        rightward: bool,
        onset: EventTime,
    ) -> Option<(f64, f64)> {
        if !cx.layout.view.is_metric() {
            return None;
        }
        let way = cx.layout.lines[usize::from(self.line)].way_over(rightward);
        let ahead_m = front_ahead(&cx.layout.view, &track.place(), way, track.class).usual;
        let line = &cx.layout.lines[usize::from(self.line)].line;
        let offset = |t: EventTime| track.position_at(t).map(|p| line.offset(p).abs() - ahead_m);
        let (half, at) = (0.4, offset(onset)?);
        let (before, after) = (offset(onset.plus_seconds(-half)), offset(onset.plus_seconds(half)));
        let speed_mps = match (before, after) {
            (Some(b), Some(a)) => (b - a) / (2.0 * half),
            (Some(b), None) => (b - at) / half,
            (None, Some(a)) => (at - a) / half,
            (None, None) => return None,
        };
        (at > 0.0 && speed_mps > 0.0).then_some((at, speed_mps))
    }

    fn candidate(
        &self,
        cx: &Context<'_>,
        id: u32,
        track: &TrackState,
        kind: RuleKind,
        entry: &Entry,
        mut doubts: Vec<Reason>,
    ) -> Candidate {
        let c = &entry.crossing;
        let group = entry.groups[0];
        let phase = cx.signals[usize::from(group)].as_of(c.time);
        let (from, to) = entry.interval(cx.layout.clock_s);
        for doubt in entry.outline.doubts() {
            if !doubts.contains(&doubt) {
                doubts.push(doubt);
            }
        }
        let mut explanation = Explanation::default()
            .interval("crossing", from, to)
            .fact("hits", f64::from(track.hits))
            .fact("seen_s", track.last.seconds_since(track.first));
        if phase.since > EventTime::MIN {
            explanation = explanation.fact("signal_since_s", c.time.seconds_since(phase.since));
        }
        if phase.after < phase.since {
            let width_s = phase.since.seconds_since(phase.after);
            explanation = explanation.fact("signal_began_within_s", width_s);
        }
        Candidate {
            lane: entry.lane,
            line: Some(self.line),
            signal: Some(SignalFact { group, phase }),
            doubts,
            explanation,
            ..Candidate::new(kind, c.time, id, track.class)
        }
    }
}

/// What is doubtful about a crossing whose light meant `meaning`, and `why` besides.
fn doubts(track: &TrackState, entry: &Entry, meaning: Meanings, why: Option<Reason>) -> Vec<Reason> {
    let mut doubts = entry.doubts_of_instant(meaning);
    doubts.extend(doubt_reason(track.doubt_since(entry.crossing.from)));
    doubts.extend(why);
    doubts
}

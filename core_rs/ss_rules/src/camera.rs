//! One camera: its tracks, and its rules over them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ss_model::{Error, EventTime, Result, Track, VehicleClass};

use crate::config::CameraConfig;
use crate::conflict::ConflictState;
use crate::context::{Context, Neighbour, Seen};
use crate::crossing::Crossing;
use crate::hours::Calendar;
use crate::ledger::CameraCounts;
use crate::outcome::{Candidate, Explanation, Finding, Passage, Reason, RuleKind};
use crate::passed::{GONE_ON_M, Passed, Passer, TREMBLES_S};
use crate::place::{Layout, Place, RoadLine};
use crate::repeat::Proven;
use crate::rule::{RuleState, Rules};
use crate::signals::SignalHistory;
use crate::standstill::STANDS_S;
use crate::suppression::is_part_of;
use crate::track::{Observation, TrackState};
use crate::traffic::Traffic;
use crate::unseen;
use crate::verdict::doubt_reason;
use crate::within::may_be_part;

/// A track unseen for this long has ended.
const TRACK_TIMEOUT_S: f64 = 3.0;
/// A reading belongs to a vehicle that was in the lane within this time.
const METER_S: f64 = 0.5;
/// A vehicle seen this lately is still there.
const NEIGHBOUR_S: f64 = 1.0;

/// What never changes at a camera.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Name of the camera.
    pub id: String,
    /// Its geometry.
    pub layout: Layout,
    rules: Rules,
    needs_neighbours: bool,
    looks_beside: bool,
    /// Per lane: the first line over it, at which its vehicles are counted.
    count_lines: Vec<Option<u16>>,
    /// How old a phase of a light must be before every rule counts on it.
    pub phase_age_s: f64,
}

/// What changes at a camera.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CameraState {
    /// The run whose tracks are open.
    pub run: u32,
    tracks: BTreeMap<u32, Watched>,
    conflicts: Vec<ConflictState>,
    proven: Proven,
    passed: Passed,
    /// The minute that runs, lane by lane.
    pub traffic: Traffic,
    /// Everything counted.
    pub counts: CameraCounts,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Watched {
    track: TrackState,
    /// Whether it has been asked where it came from.
    placed: bool,
    rules: Vec<RuleState>,
    /// Findings that wait until the track is believed.
    held: Vec<Finding>,
    /// Proven acts.
    acts: Vec<Act>,
    /// Lanes in which a meter has proved its speed.
    metered: Vec<u16>,
}

/// What a track has been accused of.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Act {
    kind: RuleKind,
    from: EventTime,
    to: EventTime,
    /// Of an act against a light: its group, and when the phase began.
    phase: Option<(u16, EventTime)>,
}

impl Act {
    fn of(candidate: &Candidate) -> Self {
        let against_light =
            matches!(candidate.kind, RuleKind::RedLight | RuleKind::YellowLight | RuleKind::StopLine);
        let phase = candidate.signal.filter(|_| against_light).map(|s| (s.group, s.phase.since));
        Self { kind: candidate.kind, from: candidate.first(), to: candidate.last(), phase }
    }

    /// Whether it is the same conduct as `told`, under another rule or told by another line or zone of the same.
    fn repeats(&self, told: &Self) -> bool {
        let at_once = told.from <= self.to && self.from <= told.to;
        at_once && is_part_of(self.kind, told.kind)
            || self.kind == told.kind && (at_once || self.phase.is_some() && self.phase == told.phase)
    }
}

/// What a certified meter measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// When.
    pub time: EventTime,
    /// Name of the lane.
    pub lane: String,
    /// How fast.
    pub speed_kmh: f64,
    /// Whether the meter's certificate covers the reading.
    pub certified: bool,
}

/// What the rules of a camera look up elsewhere in the junction.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// Signals by group.
    pub signals: &'a [SignalHistory],
    /// Local time.
    pub calendar: &'a Calendar,
}

/// An observation whose track has taken it in, on its way to the rules.
struct Taken {
    id: u32,
    /// Its crossings in the frame's list.
    crossed: std::ops::Range<usize>,
}

impl Watch {
    /// Check and compile a camera.
    ///
    /// # Errors
    /// `InvalidInput` naming the camera and what in it cannot be used.
    pub fn new(config: &CameraConfig, groups: &[String]) -> Result<Self> {
        let place = |e: Error| Error::invalid(format!("camera {}: {e}", config.id));
        let layout = Layout::new(config, groups).map_err(place)?;
        let rules = Rules::new(&config.rules, &layout).map_err(place)?;
        let needs_neighbours = rules.single.iter().any(crate::rule::Rule::needs_neighbours);
        let phase_age_s = rules.single.iter().map(crate::rule::Rule::phase_age_s).fold(0.0, f64::max);
        let looks_beside = rules.single.iter().any(crate::rule::Rule::looks_beside);
        let line_of = |at| {
            let over = |l: &RoadLine| l.lanes.iter().any(|s| s.lane == at);
            layout.lines.iter().position(over).map(|i| i as u16)
        };
        let count_lines = (0u16..).take(layout.lanes.len()).map(line_of).collect();
        Ok(Self {
            id: config.id.clone(),
            layout,
            rules,
            needs_neighbours,
            looks_beside,
            count_lines,
            phase_age_s,
        })
    }

    /// Take in one frame of the open run.
    pub fn frame(
        &self,
        around: Around<'_>,
        state: &mut CameraState,
        time: EventTime,
        tracks: &[Track],
        found: &mut Vec<Finding>,
    ) {
        state.counts.frames += 1;
        state.passed.begin(time);
        state.counts.rows += tracks.len() as u64;
        state.conflicts.resize_with(self.rules.conflicts.len(), ConflictState::default);
        let mut crossings = Vec::new();
        let mut taken = Vec::with_capacity(tracks.len());
        taken.extend(tracks.iter().filter_map(|row| self.take(state, time, (row, tracks), &mut crossings)));
        let outlines = || tracks.iter().any(|t| t.flags & Track::CLASS_BY_SIZE != 0);
        let needed = self.needs_neighbours || self.looks_beside && outlines();
        let neighbours = if needed { state.neighbours(time) } else { Vec::new() };
        let cx = self.context(around, &neighbours);
        state
            .passed
            .see(time, |id| state.tracks.get(&id).filter(|w| w.track.last == time).map(|w| w.track.place()));
        for Taken { id, crossed } in taken {
            let Some(watched) = state.tracks.get_mut(&id) else { continue };
            let place = watched.track.place();
            state.traffic.vehicle(&self.layout.lanes, &self.count_lines, &watched.track, &place);
            self.judge(
                &cx,
                (id, time, place, &crossings[crossed]),
                (watched, &mut state.proven),
                (&mut state.passed, &mut state.counts),
                found,
            );
            self.conflicts(state, id, time, place, found);
        }
        self.expire(&cx, state, time, found);
    }

    /// A meter read the speed of a vehicle in a lane. Nobody is accused
    /// unless the lane is watched, the certificate holds and one vehicle
    /// only was there.
    pub fn reading(&self, state: &mut CameraState, reading: &Reading) -> Option<Finding> {
        let lane = self.layout.lanes.iter().position(|l| l.id == reading.lane)?;
        let (tolerance_kmh, limit_kmh) = self.rules.speed_limit(&self.layout, lane as u16)?;
        if reading.speed_kmh <= limit_kmh + tolerance_kmh {
            return None;
        }
        let was_there = |w: &&Watched| {
            let near = w.track.last_lane.filter(|m| usize::from(m.lane) == lane);
            near.is_some_and(|m| reading.time.seconds_since(m.time).abs() <= METER_S)
        };
        let is_vehicle = |w: &&mut Watched| !w.track.on_foot && was_there(&&**w);
        let mut there = state.tracks.iter_mut().map(|(&id, w)| (id, w)).filter(|(_, w)| is_vehicle(w));
        let alone = there.next().filter(|_| there.next().is_none());
        let vehicle = alone.filter(|(_, w)| w.track.is_confirmed());
        let mut doubts = Vec::new();
        if !reading.certified {
            doubts.push(Reason::CertificateInvalid);
        }
        let since = reading.time.plus_seconds(-METER_S);
        match &vehicle {
            Some((_, w)) => doubts.extend(doubt_reason(w.track.doubt_since(since))),
            None => doubts.push(Reason::IdentityDoubt),
        }
        let (id, class) = vehicle.as_ref().map(|(id, w)| (*id, w.track.class)).unwrap_or_default();
        let mut candidate = Candidate {
            track: vehicle.as_ref().map(|_| id),
            lane: Some(lane as u16),
            doubts,
            explanation: Explanation::default()
                .fact("metered_kmh", reading.speed_kmh)
                .fact("limit_kmh", limit_kmh)
                .threshold("tolerance_kmh", tolerance_kmh),
            ..Candidate::new(RuleKind::Speeding, reading.time, id, class)
        };
        if let Some((_, w)) = vehicle.filter(|_| candidate.doubts.is_empty()) {
            // A meter reads one passage several times.
            candidate.duplicate = w.metered.contains(&(lane as u16));
            w.metered.push(lane as u16);
        }
        Some(Finding::Candidate(candidate))
    }

    /// The lane in whose traffic a passage counts.
    pub fn counted_in(&self, passage: &Passage) -> Option<u16> {
        let lane = passage.lane.filter(|_| passage.forward)?;
        (self.count_lines[usize::from(lane)] == Some(passage.line)).then_some(lane)
    }

    /// Name of a lane.
    pub fn lane_name(&self, lane: Option<u16>) -> Option<&str> {
        lane.map(|l| self.layout.lanes[usize::from(l)].id.as_str())
    }

    /// The session broke or the input ended: settle every track.
    pub fn end_run(&self, around: Around<'_>, state: &mut CameraState, found: &mut Vec<Finding>) {
        let cx = self.context(around, &[]);
        for (id, mut watched) in std::mem::take(&mut state.tracks) {
            self.end_track(&cx, id, (&mut watched, &mut state.proven), found);
        }
        state.conflicts.clear();
        state.passed = Passed::default();
    }

    fn context<'a>(&'a self, around: Around<'a>, neighbours: &'a [Neighbour]) -> Context<'a> {
        Context { layout: &self.layout, signals: around.signals, calendar: around.calendar, neighbours }
    }

    /// A row of the `tracks` of a frame into the memory of its track.
    fn take(
        &self,
        state: &mut CameraState,
        time: EventTime,
        (row, tracks): (&Track, &[Track]),
        crossings: &mut Vec<(u16, Crossing)>,
    ) -> Option<Taken> {
        if row.flags & Track::PREDICTED != 0 {
            state.counts.predicted += 1;
            return None;
        }
        let place = if row.bbox.is_valid() { self.layout.view.place(&row.bbox) } else { None };
        let Some(place) = place else {
            state.counts.unusable += 1;
            return None;
        };
        let watched = state.tracks.entry(row.id).or_insert_with(|| {
            state.counts.tracks += 1;
            Watched {
                placed: false,
                track: TrackState::new(time, &place, row.class, self.layout.lines.len()),
                rules: self.rules.single.iter().map(crate::rule::Rule::start).collect(),
                held: Vec::new(),
                acts: Vec::new(),
                metered: Vec::new(),
            }
        });
        let seen = Observation {
            time,
            place,
            doubtful: row.flags & Track::DOUBTFUL != 0,
            part: may_be_part(row, tracks),
            class: row.class,
            class_by_size: row.flags & Track::CLASS_BY_SIZE != 0,
            score: row.score,
        };
        let first = crossings.len();
        watched.track.observe(&self.layout, &seen, |line, crossing| crossings.push((line, crossing)));
        Some(Taken { id: row.id, crossed: first..crossings.len() })
    }

    /// An observation before the rules.
    fn judge(
        &self,
        cx: &Context<'_>,
        (id, now, place, crossed): (u32, EventTime, Place, &[(u16, Crossing)]),
        (watched, proven): (&mut Watched, &mut Proven),
        (passed, counts): (&mut Passed, &mut CameraCounts),
        found: &mut Vec<Finding>,
    ) {
        let Watched { track, placed, rules, held, acts, .. } = watched;
        let is_outline = track.class_by_size;
        let mut pass = |line: u16, crossing: &Crossing, unseen: bool| {
            let is_open = |f: &Finding| matches!(f, Finding::Passage(p) if p.line == line && !p.unseen);
            let open = held.iter().position(is_open).filter(|_| is_outline && !unseen);
            if let Some(open) = open {
                // Over and back before it had gone on.
                held.remove(open);
                passed.take_back(line, id);
                counts.repeated_crossings += 2;
            } else if passed.counts(line, crossing, &Passer { track: id, is_outline, unseen, place }, now) {
                let passage = self.passage(id, track, line, crossing);
                held.push(Finding::Passage(Passage { unseen, ..passage }));
            } else {
                counts.repeated_crossings += 1;
            }
        };
        for (line, crossing) in crossed {
            pass(*line, crossing, false);
        }
        if !*placed && now >= track.first.plus_seconds(unseen::AGE_S) {
            *placed = now >= track.first.plus_seconds(unseen::SETS_OFF_S);
            for (line, road) in (0..).zip(&self.layout.lines) {
                if let Some(crossing) = unseen::crossing(road, track, &place) {
                    *placed = true;
                    pass(line, &crossing, true);
                }
            }
        }
        let seen = Seen { id, track, now, place, crossed };
        if track.class == VehicleClass::Pedestrian {
            for (rule, state) in self.rules.single.iter().zip(rules) {
                rule.observe_on_foot(cx, &seen, state);
            }
        } else {
            for (rule, state) in self.rules.single.iter().zip(rules) {
                if let Some(candidate) = rule.observe(cx, &seen, state).filter(Candidate::is_named) {
                    held.push(weigh(candidate, acts));
                }
            }
        }
        if !held.is_empty() && track.is_confirmed() {
            release(track, held, proven, found, Until::GoneOn);
        }
    }

    /// An observation before the rules between vehicles and pedestrians.
    fn conflicts(
        &self,
        state: &mut CameraState,
        id: u32,
        now: EventTime,
        place: Place,
        found: &mut Vec<Finding>,
    ) {
        for (rule, conflict) in self.rules.conflicts.iter().zip(&mut state.conflicts) {
            let Some(watched) = state.tracks.get(&id) else { continue };
            let seen = Seen { id, track: &watched.track, now, place, crossed: &[] };
            let Some(mut candidate) = rule.observe(&seen, conflict).filter(Candidate::is_named) else {
                continue;
            };
            let vehicle =
                candidate.track.and_then(|t| state.tracks.get(&t)).filter(|w| w.track.is_confirmed());
            if let Some(vehicle) = vehicle {
                let first = candidate.first().plus_seconds(-NEIGHBOUR_S);
                candidate.doubts.extend(doubt_reason(vehicle.track.doubt_since(first)));
                candidate.lane = vehicle.track.lane_remembered(candidate.time);
                found.push(Finding::Candidate(candidate));
            }
        }
    }

    fn passage(&self, id: u32, track: &TrackState, line: u16, crossing: &Crossing) -> Passage {
        let road = &self.layout.lines[usize::from(line)];
        let lane = self
            .layout
            .lanes_of_crossing(line, crossing, track.lane_remembered(crossing.from))
            .first()
            .copied();
        let way = lane.and_then(|l| self.layout.lanes[usize::from(l)].direction);
        Passage {
            time: crossing.time,
            interval: [crossing.from, crossing.to],
            track: id,
            class: if way.is_some_and(|way| track.may_ride(way)) { track.class } else { track.class_seen() },
            lane,
            line,
            unseen: false,
            forward: road.is_forward(crossing.rightward, lane.map(|l| &self.layout.lanes[usize::from(l)])),
        }
    }

    fn expire(&self, cx: &Context<'_>, state: &mut CameraState, now: EventTime, found: &mut Vec<Finding>) {
        let is_over = |w: &Watched| now > w.track.last.plus_seconds(TRACK_TIMEOUT_S);
        let ended: Vec<u32> = state.tracks.iter().filter(|(_, w)| is_over(w)).map(|(&id, _)| id).collect();
        for id in ended {
            if let Some(mut watched) = state.tracks.remove(&id) {
                self.end_track(cx, id, (&mut watched, &mut state.proven), found);
            }
        }
    }

    fn end_track(
        &self,
        cx: &Context<'_>,
        id: u32,
        (watched, proven): (&mut Watched, &mut Proven),
        found: &mut Vec<Finding>,
    ) {
        let Watched { track, rules, held, acts, .. } = watched;
        if track.class != VehicleClass::Pedestrian {
            for (rule, state) in self.rules.single.iter().zip(rules) {
                held.extend(
                    rule.end(cx, id, track, state).filter(Candidate::is_named).map(|c| weigh(c, acts)),
                );
            }
        }
        if track.is_confirmed() {
            release(track, held, proven, found, Until::Ended);
        }
    }
}

/// How long the passage of an outline waits to be told.
#[derive(Clone, Copy, PartialEq)]
enum Until {
    GoneOn,
    Ended,
}

/// Tell what was held. Nobody on foot is accused of driving: what speaks
/// against a track that is taken for such waits until it has proved to be
/// faster, or is forgotten with it. An outline that has just come over a line may be back at once.
fn release(
    track: &TrackState,
    held: &mut Vec<Finding>,
    proven: &mut Proven,
    found: &mut Vec<Finding>,
    until: Until,
) {
    let mut kept = Vec::new();
    for mut finding in held.drain(..) {
        let waits = match &finding {
            Finding::Candidate(_) => track.on_foot,
            Finding::Passage(p) => until == Until::GoneOn && !p.unseen && may_be_back(track, p),
        };
        if waits {
            kept.push(finding);
            continue;
        }
        if let Finding::Candidate(candidate) = &mut finding {
            candidate.duplicate |= candidate.doubts.is_empty() && proven.repeats(candidate, track);
        }
        found.push(finding);
    }
    *held = kept;
}

/// Whether an outline is still so near a line it passed that its box may only have jumped.
fn may_be_back(track: &TrackState, passage: &Passage) -> bool {
    let past_m = track.lines[usize::from(passage.line)].offset_m().map_or(0.0, f64::abs);
    track.class_by_size && past_m < GONE_ON_M && track.last.seconds_since(passage.interval[1]) < TREMBLES_S
}

/// A candidate beside the other acts of its track: what is part of a proven
/// one is not held against the vehicle again.
fn weigh(mut candidate: Candidate, acts: &mut Vec<Act>) -> Finding {
    let act = Act::of(&candidate);
    candidate.duplicate = acts.iter().any(|told| act.repeats(told));
    if candidate.doubts.is_empty() && !candidate.duplicate {
        acts.push(act);
    }
    Finding::Candidate(candidate)
}

impl CameraState {
    /// Who may be in somebody's way, or be part of him.
    fn neighbours(&self, now: EventTime) -> Vec<Neighbour> {
        let matters = |t: &TrackState| t.class_by_size || now >= t.standstill.since.plus_seconds(STANDS_S);
        let is_here = |t: &TrackState| now <= t.last.plus_seconds(NEIGHBOUR_S) && t.is_confirmed();
        let tracks = self.tracks.iter().map(|(&id, watched)| (id, &watched.track));
        tracks
            .filter(|(_, track)| matters(track) && is_here(track))
            .map(|(id, track)| Neighbour {
                id,
                class: track.class_seen(),
                still_since: track.standstill.since,
                seen: track.last,
                place: track.place(),
                is_outline: track.class_by_size,
                mps: if track.class_by_size { track.velocity_mps() } else { None },
            })
            .collect()
    }
}

//! One camera: its tracks, and its rules over them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ss_model::{Error, EventTime, Result, Track, VehicleClass};

use crate::config::{CameraConfig, LineKind, RuleConfig, above, not_negative};
use crate::crossing::Crossing;
use crate::ledger::CameraCounts;
use crate::light::{Context, LightRule, LightState};
use crate::outcome::{Finding, Passage, RuleKind};
use crate::place::Layout;
use crate::signals::SignalHistory;
use crate::track::{Observation, TrackState};
use crate::wrong_way::{WrongWayRule, WrongWayState};

/// A track unseen for this long has ended.
const TRACK_TIMEOUT_S: f64 = 3.0;

/// A rule ready to watch.
#[derive(Clone, Debug)]
enum Rule {
    Light(LightRule),
    WrongWay(WrongWayRule),
}

/// What a rule remembers of one track.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum RuleState {
    Light(LightState),
    WrongWay(WrongWayState),
}

/// What never changes at a camera.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Name of the camera.
    pub id: String,
    /// Its geometry.
    pub layout: Layout,
    rules: Vec<Rule>,
}

/// What changes at a camera.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CameraState {
    /// The run whose tracks are open.
    pub run: u32,
    tracks: BTreeMap<u32, Watched>,
    /// Everything counted.
    pub counts: CameraCounts,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Watched {
    track: TrackState,
    rules: Vec<RuleState>,
    /// Findings that wait until the track is believed.
    held: Vec<Finding>,
}

impl Watch {
    /// Check and compile a camera.
    ///
    /// # Errors
    /// `InvalidInput` naming the camera and what in it cannot be used.
    pub fn new(config: &CameraConfig, groups: &[String]) -> Result<Self> {
        let place = |e: Error| Error::invalid(format!("camera {}: {e}", config.id));
        let layout = Layout::new(config, groups).map_err(place)?;
        let mut rules = Vec::new();
        for rule in &config.rules {
            add_rule(&mut rules, rule, &layout).map_err(place)?;
        }
        Ok(Self { id: config.id.clone(), layout, rules })
    }

    /// Take in one frame of the open run.
    pub fn frame(
        &self,
        signals: &[SignalHistory],
        state: &mut CameraState,
        time: EventTime,
        tracks: &[Track],
        found: &mut Vec<Finding>,
    ) {
        let cx = Context { layout: &self.layout, signals };
        state.counts.frames += 1;
        state.counts.rows += tracks.len() as u64;
        for row in tracks {
            if row.flags & Track::PREDICTED != 0 {
                state.counts.predicted += 1;
                continue;
            }
            let place = if row.bbox.is_valid() { self.layout.view.place(&row.bbox) } else { None };
            let Some(place) = place else {
                state.counts.unusable += 1;
                continue;
            };
            let seen = Observation { time, place, doubtful: row.flags & Track::DOUBTFUL != 0 };
            let watched = state.tracks.entry(row.id).or_insert_with(|| {
                state.counts.tracks += 1;
                Watched {
                    track: TrackState::new(time, &place, row.class, self.layout.lines.len()),
                    rules: self.rules.iter().map(Rule::start).collect(),
                    held: Vec::new(),
                }
            });
            self.observe(&cx, row, &seen, watched, found);
        }
        self.expire(&cx, state, time, found);
    }

    /// The session broke or the input ended: settle every track.
    pub fn end_run(&self, signals: &[SignalHistory], state: &mut CameraState, found: &mut Vec<Finding>) {
        let cx = Context { layout: &self.layout, signals };
        for (id, mut watched) in std::mem::take(&mut state.tracks) {
            self.end_track(&cx, id, &mut watched, found);
        }
    }

    fn observe(
        &self,
        cx: &Context<'_>,
        row: &Track,
        seen: &Observation,
        watched: &mut Watched,
        found: &mut Vec<Finding>,
    ) {
        let Watched { track, rules, held } = watched;
        let mut crossed: Vec<(u16, Crossing)> = Vec::new();
        track.observe(&self.layout, row.class, seen, |line, crossing| crossed.push((line, crossing)));
        for (line, crossing) in &crossed {
            held.push(Finding::Passage(self.passage(row.id, track, *line, crossing)));
        }
        if track.class != VehicleClass::Pedestrian {
            for (rule, state) in self.rules.iter().zip(rules) {
                held.extend(rule.observe(cx, row.id, track, seen, &crossed, state));
            }
        }
        if !held.is_empty() && track.is_confirmed() {
            found.append(held);
        }
    }

    fn passage(&self, id: u32, track: &TrackState, line: u16, crossing: &Crossing) -> Passage {
        let road = &self.layout.lines[usize::from(line)];
        let lane =
            road.lane_at(crossing.station, 0.5 / crossing.unit_m, track.lane_remembered(crossing.from));
        Passage {
            time: crossing.time,
            interval: [crossing.from, crossing.to],
            track: id,
            class: track.class,
            lane,
            line,
            forward: road.is_forward(crossing.rightward, lane.map(|l| &self.layout.lanes[usize::from(l)])),
        }
    }

    fn expire(&self, cx: &Context<'_>, state: &mut CameraState, now: EventTime, found: &mut Vec<Finding>) {
        let is_over = |w: &Watched| now.seconds_since(w.track.last) > TRACK_TIMEOUT_S;
        let ended: Vec<u32> = state.tracks.iter().filter(|(_, w)| is_over(w)).map(|(&id, _)| id).collect();
        for id in ended {
            if let Some(mut watched) = state.tracks.remove(&id) {
                self.end_track(cx, id, &mut watched, found);
            }
        }
    }

    fn end_track(&self, cx: &Context<'_>, id: u32, watched: &mut Watched, found: &mut Vec<Finding>) {
        let Watched { track, rules, held } = watched;
        if track.class != VehicleClass::Pedestrian {
            for (rule, state) in self.rules.iter().zip(rules) {
                held.extend(rule.end(cx, id, track, state));
            }
        }
        if track.is_confirmed() {
            found.append(held);
        }
    }
}

impl Rule {
    fn start(&self) -> RuleState {
        match self {
            Self::Light(_) => RuleState::Light(LightState::default()),
            Self::WrongWay(_) => RuleState::WrongWay(WrongWayState::default()),
        }
    }

    fn observe(
        &self,
        cx: &Context<'_>,
        id: u32,
        track: &TrackState,
        seen: &Observation,
        crossed: &[(u16, Crossing)],
        state: &mut RuleState,
    ) -> Option<Finding> {
        let candidate = match (self, state) {
            (Self::Light(rule), RuleState::Light(state)) => {
                rule.observe(cx, id, track, seen, crossed, state).filter(|c| rule.armed.contains(&c.kind))
            }
            (Self::WrongWay(rule), RuleState::WrongWay(state)) => rule.observe(cx, id, track, seen, state),
            _ => None,
        };
        candidate.map(Finding::Candidate)
    }

    fn end(&self, cx: &Context<'_>, id: u32, track: &TrackState, state: &mut RuleState) -> Option<Finding> {
        let candidate = match (self, state) {
            (Self::Light(rule), RuleState::Light(state)) => {
                rule.end(cx, id, track, state).filter(|c| rule.armed.contains(&c.kind))
            }
            (Self::WrongWay(rule), RuleState::WrongWay(state)) => rule.end(id, track, state),
            _ => None,
        };
        candidate.map(Finding::Candidate)
    }
}

fn add_rule(rules: &mut Vec<Rule>, config: &RuleConfig, layout: &Layout) -> Result<()> {
    match config {
        RuleConfig::RedLight { line, grace_s, incursion_m } => {
            let light = light_at(rules, line, layout)?;
            light.grace_s = not_negative("grace_s", *grace_s)?;
            // Half the box height, at 1.5 m a box height, where there is no calibration.
            let uncalibrated = if layout.view.is_metric() { *incursion_m } else { 0.75 };
            light.incursion_m = not_negative("incursion_m", uncalibrated)?;
            light.armed.push(RuleKind::RedLight);
        }
        RuleConfig::YellowLight { line, dilemma_mps2 } => {
            let light = light_at(rules, line, layout)?;
            light.dilemma_mps2 = above("dilemma_mps2", *dilemma_mps2, 0.0)?;
            light.armed.push(RuleKind::YellowLight);
        }
        RuleConfig::StopLine { line, min_stop_s } => {
            let light = light_at(rules, line, layout)?;
            light.min_stop_s = not_negative("min_stop_s", *min_stop_s)?;
            light.armed.push(RuleKind::StopLine);
        }
        RuleConfig::WrongWay { lanes, min_angle, min_path_m } => {
            let mut watched: Vec<bool> =
                layout.lanes.iter().map(|l| lanes.is_none() && l.direction.is_some()).collect();
            for id in lanes.iter().flatten() {
                let index = usize::from(layout.lane_index(id)?);
                if layout.lanes[index].direction.is_none() {
                    return Err(Error::invalid(format!("rule wrong_way: lane {id} has no direction")));
                }
                watched[index] = true;
            }
            if !watched.contains(&true) {
                return Err(Error::invalid("rule wrong_way: no lane has a direction"));
            }
            let min_angle_deg = above("min_angle", *min_angle, 0.0)?;
            let min_path_m = above("min_path_m", *min_path_m, 0.0)?;
            rules.push(Rule::WrongWay(WrongWayRule {
                lanes: watched,
                max_cos: min_angle_deg.to_radians().cos(),
                min_angle_deg,
                min_path_m,
            }));
        }
    }
    Ok(())
}

/// The decision table at a stop line; its kinds share one.
fn light_at<'a>(rules: &'a mut Vec<Rule>, id: &str, layout: &Layout) -> Result<&'a mut LightRule> {
    let line = layout.line_index(id)?;
    let road = &layout.lines[usize::from(line)];
    if road.kind != LineKind::Stop {
        return Err(Error::invalid(format!("line {id}: expected a stop line")));
    }
    if !road.lanes.iter().any(|s| layout.lanes[usize::from(s.lane)].group.is_some()) {
        return Err(Error::invalid(format!("line {id}: no lane with a signal leads over it")));
    }
    let known = rules.iter().position(|r| matches!(r, Rule::Light(l) if l.line == line));
    let at = known.unwrap_or_else(|| {
        rules.push(Rule::Light(LightRule {
            line,
            grace_s: 0.3,
            incursion_m: if layout.view.is_metric() { 3.0 } else { 0.75 },
            min_stop_s: 2.0,
            dilemma_mps2: 3.5,
            armed: Vec::new(),
        }));
        rules.len() - 1
    });
    match &mut rules[at] {
        Rule::Light(light) => Ok(light),
        Rule::WrongWay(_) => Err(Error::internal("a stop line led to another rule")),
    }
}

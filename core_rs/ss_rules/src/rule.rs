//! Every rule behind one face: armed from the configuration, fed with
//! observations, ended with its track.

use serde::{Deserialize, Serialize};
use ss_model::{Error, Result, VehicleClass};

use crate::arrow::ArrowState;
use crate::config::{LineKind, RuleConfig, above, not_negative};
use crate::conflict::ConflictRule;
use crate::context::{Context, Seen};
use crate::dwell::{Concerns, DwellRule, DwellState, Where};
use crate::hours::Window;
use crate::light::LightRule;
use crate::movement::{Forbids, MovementRule, MovementState};
use crate::outcome::{Candidate, RuleKind};
use crate::place::{Lane, Layout};
use crate::speed::{SpeedRule, SpeedState};
use crate::stopping::{START_UP_S, StopRule, StopState};
use crate::track::TrackState;
use crate::turn::{TurnRule, TurnState};
use crate::wrong_way::{WrongWayRule, WrongWayState};

/// Without calibration: half the box height, at 1.5 m a box height.
const INCURSION_UNCALIBRATED_M: f64 = 0.75;
/// A sign is passed, not touched.
const BANNED_DWELL_S: f64 = 0.5;
/// Driven there: who has stood since before he was seen may have come before the hours of the ban.
const BANNED_PATH_M: f64 = 2.0;
/// Crossing the pavement into a yard is shorter than this.
const PAVEMENT_PATH_M: f64 = 4.0;

/// A rule over single tracks, ready to watch.
#[derive(Clone, Debug)]
pub enum Rule {
    /// Red, amber and stop line.
    Light(LightRule),
    /// Against a lane.
    WrongWay(WrongWayRule),
    /// Through the zone and back.
    Turn(TurnRule),
    /// Through the junction.
    Movement(MovementRule),
    /// Being somewhere.
    Dwell(DwellRule),
    /// Standing somewhere.
    Stop(StopRule),
    /// Faster than the limit.
    Speed(SpeedRule),
}

/// What a rule remembers of one track. Kept small, for every frame goes through all of them: what only few tracks
/// have, a proof or a stay, is boxed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs)] // the states of the rules above
pub enum RuleState {
    Light(ArrowState),
    WrongWay(WrongWayState),
    Turn(TurnState),
    Movement(MovementState),
    Dwell(DwellState),
    Stop(StopState),
    Speed(SpeedState),
}

impl Rule {
    /// How old a phase of a light must be before the rule counts on it, seconds.
    pub fn phase_age_s(&self) -> f64 {
        match self {
            Self::Light(rule) => rule.grace_s,
            Self::Stop(_) => START_UP_S,
            _ => 0.0,
        }
    }

    /// What is remembered of a new track.
    pub fn start(&self) -> RuleState {
        match self {
            Self::Light(_) => RuleState::Light(ArrowState::default()),
            Self::WrongWay(_) => RuleState::WrongWay(WrongWayState::default()),
            Self::Turn(_) => RuleState::Turn(TurnState::default()),
            Self::Movement(_) => RuleState::Movement(MovementState::default()),
            Self::Dwell(_) => RuleState::Dwell(DwellState::default()),
            Self::Stop(_) => RuleState::Stop(StopState::default()),
            Self::Speed(_) => RuleState::Speed(SpeedState::default()),
        }
    }

    /// Take in an observation of a track.
    #[inline]
    pub fn observe(&self, cx: &Context<'_>, seen: &Seen<'_>, state: &mut RuleState) -> Option<Candidate> {
        match (self, state) {
            (Self::Light(rule), RuleState::Light(s)) => {
                rule.observe(cx, seen, s).filter(|c| rule.publishes(c))
            }
            (Self::WrongWay(rule), RuleState::WrongWay(s)) => rule.observe(cx, seen, s),
            (Self::Turn(rule), RuleState::Turn(s)) => rule.observe(cx, seen, s),
            (Self::Movement(rule), RuleState::Movement(s)) => rule.observe(cx, seen, s),
            (Self::Dwell(rule), RuleState::Dwell(s)) => rule.observe(cx, seen, s),
            (Self::Stop(rule), RuleState::Stop(s)) => rule.observe(cx, seen, s),
            (Self::Speed(rule), RuleState::Speed(s)) => rule.observe(cx, seen, s),
            _ => None,
        }
    }

    /// Take in an observation of a track that seems to be on foot: it may turn out to be a rider.
    pub fn observe_on_foot(&self, cx: &Context<'_>, seen: &Seen<'_>, state: &mut RuleState) {
        if let (Self::Light(rule), RuleState::Light(s)) = (self, state) {
            rule.look_for_front(cx, seen, s);
        }
    }

    /// The track has ended: what was open is settled.
    pub fn end(
        &self,
        cx: &Context<'_>,
        id: u32,
        track: &TrackState,
        state: &mut RuleState,
    ) -> Option<Candidate> {
        match (self, state) {
            (Self::Light(rule), RuleState::Light(s)) => {
                rule.end(cx, id, track, s).filter(|c| rule.publishes(c))
            }
            (Self::WrongWay(rule), RuleState::WrongWay(s)) => rule.end(id, track, s),
            (Self::Turn(rule), RuleState::Turn(s)) => rule.end(id, track, s),
            (Self::Movement(_), RuleState::Movement(s)) => MovementRule::end(cx, track, s),
            (Self::Dwell(rule), RuleState::Dwell(s)) => rule.end(id, track, s),
            (Self::Stop(rule), RuleState::Stop(s)) => rule.end(id, track, s),
            (Self::Speed(rule), RuleState::Speed(s)) => rule.end(id, track, s),
            _ => None,
        }
    }

    /// Whether it looks at the other tracks.
    pub fn needs_neighbours(&self) -> bool {
        matches!(self, Self::Stop(_))
    }

    /// Whether it looks at outlines beside the one that it judges.
    pub fn looks_beside(&self) -> bool {
        matches!(self, Self::Light(_)) || matches!(self, Self::Dwell(rule) if rule.by_way())
    }

    /// Acts of one frame are found in the order of their precedence.
    pub fn precedence(&self) -> RuleKind {
        match self {
            Self::Light(_) => RuleKind::RedLight,
            Self::WrongWay(_) => RuleKind::WrongWay,
            Self::Turn(_) => RuleKind::UTurn,
            Self::Movement(rule) => rule.kind,
            Self::Dwell(rule) => rule.kind,
            Self::Stop(rule) => rule.kind,
            Self::Speed(_) => RuleKind::Speeding,
        }
    }
}

/// The rules of a camera.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Over single tracks, by precedence.
    pub single: Vec<Rule>,
    /// Between a vehicle and a pedestrian.
    pub conflicts: Vec<ConflictRule>,
}

impl Rules {
    /// Arm what the configuration asks for.
    ///
    /// # Errors
    /// `InvalidInput` naming the rule and what it lacks.
    pub fn new(configs: &[RuleConfig], layout: &Layout) -> Result<Self> {
        let mut rules = Self::default();
        for config in configs {
            rules.arm(config, layout)?;
        }
        rules.single.sort_by_key(Rule::precedence);
        Ok(rules)
    }

    /// Tolerance and limit of a lane under a speeding rule.
    pub fn speed_limit(&self, layout: &Layout, lane: u16) -> Option<(f64, f64)> {
        let watches = |rule: &Rule| match rule {
            Rule::Speed(rule) if rule.lanes[usize::from(lane)] => Some(rule.tolerance_kmh),
            _ => None,
        };
        self.single.iter().find_map(watches).zip(layout.lanes[usize::from(lane)].speed_limit_kmh)
    }

    fn arm(&mut self, config: &RuleConfig, layout: &Layout) -> Result<()> {
        match config {
            RuleConfig::RedLight { line, grace_s, incursion_m } => {
                let light = self.light_at(line, layout)?;
                light.grace_s = not_negative("grace_s", *grace_s)?;
                if layout.view.is_metric() {
                    light.incursion_m = not_negative("incursion_m", *incursion_m)?;
                }
                light.armed.push(RuleKind::RedLight);
            }
            RuleConfig::YellowLight { line, dilemma_mps2 } => {
                let light = self.light_at(line, layout)?;
                light.dilemma_mps2 = above("dilemma_mps2", *dilemma_mps2, 0.0)?;
                light.armed.push(RuleKind::YellowLight);
            }
            RuleConfig::StopLine { line, min_stop_s } => {
                let light = self.light_at(line, layout)?;
                light.min_stop_s = not_negative("min_stop_s", *min_stop_s)?;
                light.armed.push(RuleKind::StopLine);
            }
            RuleConfig::WrongWay { lanes, min_angle, min_path_m } => {
                let lanes = lanes_with("wrong_way", "direction", lanes.as_deref(), layout, |l| {
                    l.direction.is_some()
                })?;
                let min_angle_deg = above("min_angle", *min_angle, 0.0)?;
                let (max_cos, min_path_m) =
                    (min_angle_deg.to_radians().cos(), above("min_path_m", *min_path_m, 0.0)?);
                self.single.push(Rule::WrongWay(WrongWayRule { lanes, max_cos, min_angle_deg, min_path_m }));
            }
            RuleConfig::LaneArrow { lanes } => {
                let lanes = lanes_with("lane_arrow", "movements", lanes.as_deref(), layout, |l| {
                    !l.movements.is_empty()
                })?;
                let (kind, window) = (RuleKind::LaneArrow, Window::default());
                self.single.push(Rule::Movement(MovementRule {
                    kind,
                    forbids: Forbids::ByArrow(lanes),
                    window,
                }));
            }
            RuleConfig::IllegalTurn { line, classes, hours, days } => {
                let line = line_of_kind(layout, line, LineKind::Exit)?;
                let forbids = Forbids::ByExit(line, classes.clone().unwrap_or_default());
                let window = Window::new(hours.as_deref(), days.as_deref());
                self.single.push(Rule::Movement(MovementRule {
                    kind: RuleKind::IllegalTurn,
                    forbids,
                    window,
                }));
            }
            RuleConfig::UTurn { zone, line } => {
                let zone = zone.as_deref().map(|z| layout.zone_index(z)).transpose()?;
                let line = line.as_deref().map(|l| line_of_kind(layout, l, LineKind::Exit)).transpose()?;
                if zone.is_none() && line.is_none() {
                    return Err(Error::invalid("rule u_turn: expected a zone, a line or both"));
                }
                self.single.push(Rule::Turn(TurnRule { zone, line }));
            }
            RuleConfig::IllegalStop { zone, min_dwell_s } => {
                self.stop(RuleKind::IllegalStop, zone, *min_dwell_s, layout)?;
            }
            RuleConfig::BoxBlocking { zone, min_dwell_s } => {
                self.stop(RuleKind::BoxBlocking, zone, *min_dwell_s, layout)?;
            }
            RuleConfig::Speeding { lanes, tolerance_kmh } => {
                if !layout.view.is_metric() {
                    return Err(Error::invalid("rule speeding: expected a calibrated camera"));
                }
                let has_limit = |l: &Lane| l.speed_limit_kmh.is_some();
                let lanes = lanes_with("speeding", "speed_limit_kmh", lanes.as_deref(), layout, has_limit)?;
                let tolerance_kmh = not_negative("tolerance_kmh", *tolerance_kmh)?;
                self.single.push(Rule::Speed(SpeedRule { lanes, tolerance_kmh }));
            }
            RuleConfig::FailToYieldPedestrian { zone, pet_s } => {
                let (zone, pet_s) = (layout.zone_index(zone)?, above("pet_s", *pet_s, 0.0)?);
                self.conflicts.push(ConflictRule { zone, pet_s });
            }
            RuleConfig::WrongLane { .. }
            | RuleConfig::SolidLine { .. }
            | RuleConfig::BannedClass { .. }
            | RuleConfig::Sidewalk { .. } => self.dwell(config, layout)?,
        }
        Ok(())
    }

    /// The rules that are one primitive with other data.
    fn dwell(&mut self, config: &RuleConfig, layout: &Layout) -> Result<()> {
        let mut add = |kind, place, concerns, min_dwell_s: f64, rest: (Window, bool)| {
            let min_path_m = match kind {
                RuleKind::Sidewalk => PAVEMENT_PATH_M,
                RuleKind::BannedClass => BANNED_PATH_M,
                _ => 0.0,
            };
            let (window, permits) = rest;
            let crossing_proves = kind == RuleKind::SolidLine;
            let min_dwell_s = not_negative("min_dwell_s", min_dwell_s)?;
            let rule = DwellRule {
                kind,
                place,
                concerns,
                window,
                min_dwell_s,
                min_path_m,
                crossing_proves,
                permits,
            };
            self.single.push(Rule::Dwell(rule));
            Ok(())
        };
        let always = || (Window::default(), true);
        let vehicles = || Concerns::AllBut(vec![VehicleClass::Pedestrian]);
        match config {
            RuleConfig::WrongLane { lanes, min_dwell_s } => {
                let watched =
                    lanes_with("wrong_lane", "allowed", lanes.as_deref(), layout, |l| !l.allowed.is_empty())?;
                let lanes = (0u16..).zip(watched).filter(|(_, on)| *on).map(|(i, _)| i).collect();
                add(
                    RuleKind::WrongLane,
                    Where::Lanes(lanes),
                    Concerns::NotAllowedInLane,
                    *min_dwell_s,
                    always(),
                )
            }
            RuleConfig::SolidLine { line, min_over_s } => {
                let line = layout.line_index(line)?;
                add(RuleKind::SolidLine, Where::OverLine(line), vehicles(), *min_over_s, always())
            }
            RuleConfig::BannedClass { lane, zone, classes, hours, days, permits } => {
                let rest = || (Window::new(hours.as_deref(), days.as_deref()), *permits);
                let whom = || Concerns::Classes(classes.clone());
                if lane.is_none() && zone.is_none() {
                    return Err(Error::invalid("rule banned_class: expected a lane, a zone or both"));
                }
                if let Some(lane) = lane {
                    let place = Where::Lanes(vec![layout.lane_index(lane)?]);
                    add(RuleKind::BannedClass, place, whom(), BANNED_DWELL_S, rest())?;
                }
                if let Some(zone) = zone {
                    let place = Where::Zone(layout.zone_index(zone)?);
                    add(RuleKind::BannedClass, place, whom(), BANNED_DWELL_S, rest())?;
                }
                Ok(())
            }
            RuleConfig::Sidewalk { zone, min_dwell_s } => {
                let place = Where::Zone(layout.zone_index(zone)?);
                // The law names no such act for bicycles.
                let whom = Concerns::AllBut(vec![VehicleClass::Pedestrian, VehicleClass::Bicycle]);
                add(RuleKind::Sidewalk, place, whom, *min_dwell_s, always())
            }
            _ => Err(Error::internal("a rule of another family was armed as a stay")),
        }
    }

    fn stop(&mut self, kind: RuleKind, zone: &str, min_dwell_s: f64, layout: &Layout) -> Result<()> {
        let (zone, min_dwell_s) = (layout.zone_index(zone)?, not_negative("min_dwell_s", min_dwell_s)?);
        self.single.push(Rule::Stop(StopRule { kind, zone, min_dwell_s }));
        Ok(())
    }

    /// The decision table at a stop line; its kinds share one.
    fn light_at(&mut self, id: &str, layout: &Layout) -> Result<&mut LightRule> {
        let line = line_of_kind(layout, id, LineKind::Stop)?;
        let lanes = &layout.lines[usize::from(line)].lanes;
        if !lanes.iter().any(|s| layout.lanes[usize::from(s.lane)].group.is_some()) {
            return Err(Error::invalid(format!("line {id}: no lane with a signal leads over it")));
        }
        let known = self.single.iter().position(|r| matches!(r, Rule::Light(l) if l.line == line));
        let at = known.unwrap_or_else(|| {
            self.single.push(Rule::Light(LightRule {
                line,
                movements: crate::arrow::movements(layout, line),
                grace_s: 0.3,
                incursion_m: if layout.view.is_metric() { 3.0 } else { INCURSION_UNCALIBRATED_M },
                min_stop_s: 2.0,
                dilemma_mps2: 3.5,
                armed: Vec::new(),
            }));
            self.single.len() - 1
        });
        match &mut self.single[at] {
            Rule::Light(light) => Ok(light),
            _ => Err(Error::internal("a stop line led to another rule")),
        }
    }
}

/// Per lane whether a rule watches it: those named, else all that are fit.
fn lanes_with(
    rule: &str,
    needs: &str,
    named: Option<&[String]>,
    layout: &Layout,
    is_fit: impl Fn(&Lane) -> bool,
) -> Result<Vec<bool>> {
    let mut watched: Vec<bool> = layout.lanes.iter().map(|l| named.is_none() && is_fit(l)).collect();
    for id in named.into_iter().flatten() {
        let index = usize::from(layout.lane_index(id)?);
        if !is_fit(&layout.lanes[index]) {
            return Err(Error::invalid(format!("rule {rule}: lane {id} has no {needs}")));
        }
        watched[index] = true;
    }
    if watched.contains(&true) {
        Ok(watched)
    } else {
        Err(Error::invalid(format!("rule {rule}: no lane has {needs}")))
    }
}

fn line_of_kind(layout: &Layout, id: &str, kind: LineKind) -> Result<u16> {
    let line = layout.line_index(id)?;
    if layout.lines[usize::from(line)].kind == kind {
        Ok(line)
    } else {
        let expected = if kind == LineKind::Stop { "a stop line" } else { "an exit line" };
        Err(Error::invalid(format!("line {id}: expected {expected}")))
    }
}

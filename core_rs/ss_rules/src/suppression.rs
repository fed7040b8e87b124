//! What lifts a rule: conditions with a beginning and an end, in the order of
//! the law and of common sense.
//!
//! The order: signal fault, signal line too late, officer in control, temporary sign or permit, emergency
//! vehicle, flood or incident, geometry or clock invalid, visibility,
//! duplicate. (A light that is
//! unknown makes no candidate in the first place.)
//!
//! Source: Luật 36/2024/QH15 Điều 11.2 and 11.12 (hand signals before lights
//! before signs before markings; temporary before fixed), Điều 27 (priority
//! vehicles and those who make way).

use serde::{Deserialize, Serialize};
use ss_model::EventTime;

use crate::condition::Condition;
use crate::outcome::{Candidate, RuleKind};

/// How long past conditions are kept: longer than any act that is told late.
const KEEP_S: f64 = 6.0 * 3600.0;

impl Condition {
    /// Whether it lifts rules of `kind`.
    pub fn lifts(self, kind: RuleKind) -> bool {
        use RuleKind as K;
        let light = matches!(kind, K::RedLight | K::YellowLight | K::StopLine);
        match self {
            Self::SignalFault | Self::SignalLate => light || kind == K::IllegalStop,
            Self::OfficerControl => !matches!(kind, K::Speeding | K::FailToYieldPedestrian | K::Sidewalk),
            Self::TemporarySign => {
                !light && !matches!(kind, K::FailToYieldPedestrian | K::Sidewalk | K::BoxBlocking)
            }
            Self::Permit => matches!(kind, K::BannedClass | K::WrongLane | K::IllegalStop),
            Self::EmergencyVehicle | Self::GeometryInvalid | Self::LowVisibility => true,
            Self::Flood => matches!(
                kind,
                K::StopLine
                    | K::BoxBlocking
                    | K::WrongLane
                    | K::SolidLine
                    | K::LaneArrow
                    | K::IllegalStop
                    | K::Sidewalk
            ),
            Self::Incident => {
                !matches!(kind, K::RedLight | K::YellowLight | K::Speeding | K::FailToYieldPedestrian)
            }
            Self::ClockInvalid => light || matches!(kind, K::Speeding | K::BannedClass | K::IllegalTurn),
        }
    }
}

/// A condition over a stretch of time, at one camera or at all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    /// First instant.
    pub from: EventTime,
    /// First instant after it.
    pub until: EventTime,
    /// What holds.
    pub condition: Condition,
    /// Index of the camera; absent: the whole junction.
    pub camera: Option<u16>,
    /// Name of the lane; absent: all.
    pub lane: Option<String>,
    /// Of a signal fault: index of the group. It holds for the whole junction:
    /// a controller that is wrong about one group is not believed about others.
    pub group: Option<u16>,
}

impl Stretch {
    /// Whether it lifts the rule over `c` there and then.
    pub fn covers(&self, camera: u16, lane: Option<&str>, c: &Candidate) -> bool {
        let here = self.camera.is_none_or(|own| own == camera);
        let in_lane = self.lane.as_deref().is_none_or(|own| lane == Some(own));
        let applies = match self.condition {
            Condition::SignalFault | Condition::SignalLate => c.signal.is_some(),
            Condition::Permit => c.permits,
            _ => true,
        };
        here && in_lane
            && applies
            && self.condition.lifts(c.kind)
            && c.first() < self.until
            && self.from <= c.last()
    }
}

/// Every condition known.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Conditions {
    stretches: Vec<Stretch>,
}

impl Conditions {
    /// One more.
    pub fn insert(&mut self, stretch: Stretch) {
        if self.stretches.contains(&stretch) {
            return;
        }
        let same = |s: &&mut Stretch| {
            let who = |s: &Stretch| (s.condition, s.camera, s.lane.clone(), s.group);
            who(s) == who(&stretch) && s.group.is_none() && s.from <= stretch.from && stretch.from <= s.until
        };
        // What goes on is one stretch, however often it is told.
        match self.stretches.iter_mut().find(same) {
            Some(known) => known.until = known.until.max(stretch.until),
            None => self.stretches.push(stretch),
        }
    }

    /// The first of the order that lifts the rule over `candidate`.
    pub fn lifting(&self, camera: u16, lane: Option<&str>, candidate: &Candidate) -> Option<Condition> {
        self.stretches.iter().filter(|s| s.covers(camera, lane, candidate)).map(|s| s.condition).min()
    }

    /// The fault of a group is over.
    pub fn end_fault(&mut self, group: u16, at: EventTime) {
        for stretch in
            self.stretches.iter_mut().filter(|s| s.group == Some(group) && s.until == EventTime::MAX)
        {
            stretch.until = at;
        }
    }

    /// Forget what no act can reach any more.
    pub fn prune(&mut self, now: EventTime) {
        let horizon = now.plus_seconds(-KEEP_S);
        self.stretches.retain(|s| s.until >= horizon);
    }
}

/// Whether an act of `kind` is the same conduct as one of `other` at the same
/// time, so that only the other is held against the vehicle.
pub fn is_part_of(kind: RuleKind, other: RuleKind) -> bool {
    use RuleKind as K;
    matches!(
        (other, kind),
        (K::WrongWay, K::WrongLane | K::SolidLine)
            | (K::BannedClass, K::WrongLane)
            | (K::UTurn, K::LaneArrow | K::IllegalTurn)
            | (K::IllegalTurn, K::LaneArrow)
            | (K::BoxBlocking, K::IllegalStop)
    )
}

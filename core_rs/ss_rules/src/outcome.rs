//! What the engine answers: crossings and verdicts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, VehicleClass};

use crate::condition::Condition;
use crate::signals::Phase;
use crate::way::Way;

/// Kinds of rules; the names are stable. Acts of one instant are told, and
/// take precedence, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// Crossing on red and going on.
    RedLight,
    /// Standing past the line on red.
    StopLine,
    /// Crossing on steady amber.
    YellowLight,
    /// Against the direction of a lane.
    WrongWay,
    /// Turning back where it is forbidden.
    UTurn,
    /// A turn that a sign forbids.
    IllegalTurn,
    /// A movement that the lane's arrow does not show.
    LaneArrow,
    /// A class closed out by a sign.
    BannedClass,
    /// In a lane of other classes.
    WrongLane,
    /// On or over a solid line.
    SolidLine,
    /// Standing in the box without room to leave it.
    BoxBlocking,
    /// Standing where it is forbidden.
    IllegalStop,
    /// Faster than the limit.
    Speeding,
    /// Riding on the pavement.
    Sidewalk,
    /// Passing close to a pedestrian on a crosswalk.
    FailToYieldPedestrian,
}

impl RuleKind {
    /// Whether the law names such an act for the class (Nghị định 168/2024/NĐ-CP Điều 9 for bicycles).
    pub fn concerns(self, class: VehicleClass) -> bool {
        let not_for_bicycles = [Self::UTurn, Self::BoxBlocking, Self::FailToYieldPedestrian];
        class != VehicleClass::Bicycle || !not_for_bicycles.contains(&self)
    }
}

/// What the engine concludes about a candidate. Only a person concludes that
/// a violation took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The proof is complete.
    Suspected,
    /// The proof has a hole; the reasons say which.
    Undecided,
    /// Something lifts the rule; the reasons say what.
    Suppressed,
    /// Measured from pictures: for statistics, not against anybody.
    Estimated,
    /// Was suspected, and something that lifts the rule became known later.
    Retracted,
}

/// Why a candidate is not suspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reason {
    /// The light changed, or its grace ended, within the interval of the crossing.
    PhaseBoundary,
    /// Controller and lamps did not say the same.
    SourcesDisagree,
    /// The light left red in the very interval in which the vehicle went on.
    RedEndedMeanwhile,
    /// Between two lanes for which different rules hold, or beside all of them.
    LaneAmbiguous,
    /// Not seen for a while during the proof.
    Gap,
    /// The track may have passed to another vehicle during the proof.
    IdentityDoubt,
    /// The class changed during the proof, or what the proof rests on is told by the size of an outline only.
    ClassDoubt,
    /// The track ended before the proof was complete.
    TrackLost,
    /// One movement had to wait and another had not, and it was not seen where the vehicle went.
    MovementUnknown,
    /// Not seen to come: it appeared at the line or in the box, or its outline jumped over the line.
    AppearedAtLine,
    /// Stays so near the line that the error of its outline decides.
    NearLine,
    /// Slowly backwards after going forwards: it may be reversing.
    MaybeReversing,
    /// At the very beginning or end of the hours on a sign, or there since before them.
    HoursBoundary,
    /// Nothing stands ahead: it may be giving way to others.
    MayBeGivingWay,
    /// The same conduct as another act of the vehicle.
    Duplicate,
    /// The meter's certificate does not cover the reading.
    CertificateInvalid,
    /// A condition lifts the rule.
    Condition(Condition),
}

impl Reason {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::PhaseBoundary => "phase_boundary",
            Self::SourcesDisagree => "sources_disagree",
            Self::RedEndedMeanwhile => "red_ended_meanwhile",
            Self::LaneAmbiguous => "lane_ambiguous",
            Self::Gap => "gap",
            Self::IdentityDoubt => "identity_doubt",
            Self::ClassDoubt => "class_doubt",
            Self::TrackLost => "track_lost",
            Self::MovementUnknown => "movement_unknown",
            Self::AppearedAtLine => "appeared_at_line",
            Self::NearLine => "near_line",
            Self::MaybeReversing => "maybe_reversing",
            Self::HoursBoundary => "hours_boundary",
            Self::MayBeGivingWay => "may_be_giving_way",
            Self::Duplicate => "duplicate",
            Self::CertificateInvalid => "certificate_invalid",
            Self::Condition(condition) => condition.name(),
        }
    }
}

/// What decided, in numbers: named facts in the unit of their suffix,
/// instants as intervals, and the thresholds they were held against.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// What was measured.
    pub facts: BTreeMap<Name, f64>,
    /// When it happened, earliest and latest.
    pub intervals_ns: BTreeMap<Name, [i64; 2]>,
    /// What it was held against.
    pub thresholds: BTreeMap<Name, f64>,
}

type Name = Cow<'static, str>;

impl Explanation {
    /// Add a fact; what is not finite is left out.
    #[must_use]
    pub fn fact(mut self, name: &'static str, value: f64) -> Self {
        if value.is_finite() {
            self.facts.insert(Cow::Borrowed(name), (value * 1e4).round() / 1e4);
        }
        self
    }

    /// Add an interval.
    #[must_use]
    pub fn interval(mut self, name: &'static str, from: EventTime, to: EventTime) -> Self {
        self.intervals_ns.insert(Cow::Borrowed(name), [from.0, to.0]);
        self
    }

    /// Add a threshold.
    #[must_use]
    pub fn threshold(mut self, name: &'static str, value: f64) -> Self {
        self.thresholds.insert(Cow::Borrowed(name), value);
        self
    }
}

/// A signal group and what it showed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignalFact {
    /// Index of the group.
    pub group: u16,
    /// Its phase at the crossing.
    pub phase: Phase,
}

/// An act that a rule found, with what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Which rule.
    pub kind: RuleKind,
    /// When the act began.
    pub time: EventTime,
    /// When a lasting act ended.
    pub until: Option<EventTime>,
    /// Number of the track in its run; none when a meter's reading fits no
    /// track.
    pub track: Option<u32>,
    /// Class of the vehicle.
    pub class: VehicleClass,
    /// Index of the lane.
    pub lane: Option<u16>,
    /// Index of the line.
    pub line: Option<u16>,
    /// Index of the zone.
    pub zone: Option<u16>,
    /// The light that ruled it.
    pub signal: Option<SignalFact>,
    /// Why the proof is not complete; empty when it is.
    pub doubts: Vec<Reason>,
    /// Stopping in time for amber would have taken hard braking.
    pub dilemma: bool,
    /// Whether a permit lifts the rule.
    pub permits: bool,
    /// The way on which it was proved, where a way proves it.
    pub way: Option<Way>,
    /// The same conduct as another act of the vehicle, or the same act told
    /// under another number.
    pub duplicate: bool,
    /// What decided.
    pub explanation: Explanation,
}

impl Candidate {
    /// The bare act; the rest is filled in by the rule.
    pub fn new(kind: RuleKind, time: EventTime, track: u32, class: VehicleClass) -> Self {
        Self {
            kind,
            time,
            until: None,
            track: Some(track),
            class,
            lane: None,
            line: None,
            zone: None,
            signal: None,
            doubts: Vec::new(),
            dilemma: false,
            permits: true,
            way: None,
            duplicate: false,
            explanation: Explanation::default(),
        }
    }

    /// Whether the law names the act for the class.
    pub fn is_named(&self) -> bool {
        self.kind.concerns(self.class)
    }

    /// First instant of the act or of its proof.
    pub fn first(&self) -> EventTime {
        let proof = self.explanation.intervals_ns.values().map(|i| i[0]).min();
        self.time.min(EventTime(proof.unwrap_or(i64::MAX)))
    }

    /// Last instant of the act or of its proof.
    pub fn last(&self) -> EventTime {
        let proof = self.explanation.intervals_ns.values().map(|i| i[1]).max();
        self.until.unwrap_or(self.time).max(EventTime(proof.unwrap_or(i64::MIN)))
    }
}

/// A vehicle crossed a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Passage {
    /// Straight-line estimate of the instant.
    pub time: EventTime,
    /// Last frame before, first frame past the line.
    pub interval: [EventTime; 2],
    /// Number of the track in its run.
    pub track: u32,
    /// Class of the vehicle.
    pub class: VehicleClass,
    /// Index of the lane.
    pub lane: Option<u16>,
    /// Index of the line.
    pub line: u16,
    /// With the lawful direction.
    pub forward: bool,
    /// Concluded from where the vehicle appeared, see [`crate::unseen`].
    pub unseen: bool,
}

/// What a rule found in one camera.
#[expect(clippy::large_enum_variant, reason = "short-lived, a few at a time")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Finding {
    /// A line was crossed.
    Passage(Passage),
    /// An act under a rule.
    Candidate(Candidate),
}

impl Finding {
    /// Findings of one instant are told in this order.
    pub fn order(&self) -> (EventTime, Option<u32>, Option<RuleKind>, Option<u16>) {
        match self {
            Self::Passage(p) => (p.time, Some(p.track), None, Some(p.line)),
            Self::Candidate(c) => (c.time, c.track, Some(c.kind), c.line),
        }
    }
}

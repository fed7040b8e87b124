//! What may lift rules, by its name.

use serde::{Deserialize, Serialize};
use ss_model::{Error, Result};

/// How long a suspicion can be taken back.
pub const RETRACTABLE_S: f64 = 3600.0;

/// What lifts rules. In the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// The signal is not believed; found by the engine itself ([`crate::fault`]).
    SignalFault,
    /// A line of a signal feed came too late, and says something else than the light was taken for; found by the
    /// engine itself ([`crate::JunctionEngine::late_signal`]).
    SignalLate,
    /// A police officer directs the traffic.
    OfficerControl,
    /// A temporary sign stands.
    TemporarySign,
    /// Somebody has a permit.
    Permit,
    /// An emergency vehicle passes, and others make way.
    EmergencyVehicle,
    /// The road is flooded.
    Flood,
    /// A crash or another incident.
    Incident,
    /// The camera does not see what its geometry says.
    GeometryInvalid,
    /// A clock is wrong.
    ClockInvalid,
    /// Rain, fog, glare.
    LowVisibility,
}

impl Condition {
    /// Every condition that a feed can tell, in the order in which they are asked.
    pub const ALL: [Self; 9] = [
        Self::OfficerControl,
        Self::TemporarySign,
        Self::Permit,
        Self::EmergencyVehicle,
        Self::Flood,
        Self::Incident,
        Self::GeometryInvalid,
        Self::ClockInvalid,
        Self::LowVisibility,
    ];

    /// The condition of a name.
    ///
    /// # Errors
    /// `InvalidInput` when no condition is called so.
    pub fn named(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|c| c.name() == name);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            Error::invalid(format!("condition: expected one of {known}, found {name:?}"))
        })
    }

    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::SignalFault => "signal_fault",
            Self::SignalLate => "signal_late",
            Self::OfficerControl => "officer_control",
            Self::TemporarySign => "temporary_sign",
            Self::Permit => "permit",
            Self::EmergencyVehicle => "emergency_vehicle",
            Self::Flood => "flood",
            Self::Incident => "incident",
            Self::GeometryInvalid => "geometry_invalid",
            Self::ClockInvalid => "clock_invalid",
            Self::LowVisibility => "low_visibility",
        }
    }
}

//! States of a signal group.

use serde::{Deserialize, Serialize};

/// What a signal group shows. The discriminant is the code on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum SignalState {
    /// Not known: before the first line, or no longer believed. Never a red light.
    #[default]
    Unknown = 0,
    /// Go.
    Green = 1,
    /// Steady amber.
    Amber = 2,
    /// Stop.
    Red = 3,
    /// Caution; no red or amber rule applies.
    FlashingAmber = 4,
    /// No lamp is lit.
    Dark = 5,
}

impl SignalState {
    /// Every state, in wire order.
    pub const ALL: [Self; 6] =
        [Self::Unknown, Self::Green, Self::Amber, Self::Red, Self::FlashingAmber, Self::Dark];

    /// The state of a wire code; `None` when no state has it.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// The stable name used in files and events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Green => "green",
            Self::Amber => "amber",
            Self::Red => "red",
            Self::FlashingAmber => "flashing_amber",
            Self::Dark => "dark",
        }
    }
}

//! Classes of road users.

use serde::{Deserialize, Serialize};

/// What a road user is. The discriminant is the code on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum VehicleClass {
    /// Not told apart yet.
    #[default]
    Unknown = 0,
    /// Motorcycle or moped, rider included.
    Motorcycle = 1,
    /// Bicycle, rider included.
    Bicycle = 2,
    /// Passenger car, van, pickup.
    Car = 3,
    /// Truck.
    Truck = 4,
    /// Bus or coach.
    Bus = 5,
    /// Person on foot.
    Pedestrian = 6,
}

impl VehicleClass {
    /// Every class, in wire order.
    pub const ALL: [Self; 7] =
        [Self::Unknown, Self::Motorcycle, Self::Bicycle, Self::Car, Self::Truck, Self::Bus, Self::Pedestrian];

    /// The class of a wire code; `None` when no class has it.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// The stable name used in files, events and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Motorcycle => "motorcycle",
            Self::Bicycle => "bicycle",
            Self::Car => "car",
            Self::Truck => "truck",
            Self::Bus => "bus",
            Self::Pedestrian => "pedestrian",
        }
    }
}

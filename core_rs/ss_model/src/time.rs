//! Event time: when something happened in the street.

use serde::{Deserialize, Serialize};

/// An instant in nanoseconds since 1970-01-01T00:00:00Z.
///
/// Never a wall-clock reading: it comes from the camera, the controller or
/// the file. Differences are exact; convert to seconds only to compare with a
/// duration from the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventTime(pub i64);

impl EventTime {
    /// Before every instant that can occur.
    pub const MIN: Self = Self(i64::MIN);
    /// After every instant that can occur; the watermark of a finished side.
    pub const MAX: Self = Self(i64::MAX);

    /// Seconds from `earlier` to `self`; negative when `self` is before it.
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 * 1e-9
    }

    /// This instant moved by `seconds`, rounded to the nearest nanosecond.
    #[must_use]
    pub fn plus_seconds(self, seconds: f64) -> Self {
        Self(self.0.saturating_add((seconds * 1e9).round() as i64))
    }
}

/// Which clock stands behind an event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockQuality {
    /// The camera's own, by RTCP sender reports, and it agrees with ours.
    Camera = 1,
    /// Ours, when the packet came: the camera tells no time.
    Arrival = 2,
    /// Ours: the camera tells a time that is too far from it.
    CameraWrong = 3,
}

impl ClockQuality {
    /// The quality with this code.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Camera, Self::Arrival, Self::CameraWrong].into_iter().find(|q| *q as u8 == code)
    }

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Arrival => "arrival",
            Self::CameraWrong => "camera_wrong",
        }
    }
}

/// Both clocks of a live camera at one of its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockReading {
    /// Which one its event time comes from.
    pub quality: ClockQuality,
    /// When its packet came, by our clock.
    pub arrival_ns: i64,
    /// The camera's clock less ours, the network's least delay included, where the camera tells.
    pub offset_ns: Option<i64>,
}

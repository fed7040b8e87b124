//! What a junction looks like and which rules watch it, as JSON.
//!
//! `smartstream.rules.compile` writes it from the site file. Everything is
//! checked here again: the engine trusts nobody.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ss_model::{Error, Point, Polygon, Result, VehicleClass};

use crate::hours::{Hours, Weekday};

/// A junction with every camera that watches it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JunctionConfig {
    /// Names of the signal groups; their index is the group's code.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Those of them whose states are read from lamps.
    #[serde(default)]
    pub read_groups: Vec<String>,
    /// Offsets of local time from UTC: from this second on, so many seconds.
    #[serde(default)]
    pub utc_offsets: Vec<(i64, i64)>,
    /// The cameras; their index is the camera's code.
    pub cameras: Vec<CameraConfig>,
}

/// One camera.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraConfig {
    /// Name of the camera.
    pub id: String,
    /// Width of the picture divided by its height.
    #[serde(default = "default_aspect")]
    pub aspect: f64,
    /// How far its clock may be off that of the signals, either way.
    #[serde(default)]
    pub clock_uncertainty_s: f64,
    /// Points of the ground with their place in the picture.
    #[serde(default)]
    pub calibration: Option<Calibration>,
    /// Lanes.
    #[serde(default, rename = "lanes")]
    pub lanes: Vec<LaneConfig>,
    /// Lines.
    #[serde(default)]
    pub lines: Vec<LineConfig>,
    /// Zones.
    #[serde(default)]
    pub zones: Vec<ZoneConfig>,
    /// Rules.
    #[serde(default)]
    pub rules: Vec<RuleConfig>,
}

/// Pairs of points that tie the picture to the ground.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Normalised picture coordinates.
    pub image: Vec<Point>,
    /// Metres in any local plane.
    pub world_m: Vec<Point>,
}

/// A lane of an approach or an exit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneConfig {
    /// Name.
    pub id: String,
    /// Outline in the picture.
    pub polygon: Polygon,
    /// Lawful direction of travel in the picture.
    #[serde(default)]
    pub direction: Option<Point>,
    /// Signal group that rules it.
    #[serde(default)]
    pub signal: Option<String>,
    /// Movements that obey another group: an arrow beside the light.
    #[serde(default)]
    pub movement_signal: BTreeMap<Movement, String>,
    /// Classes that may use it; absent: every class.
    #[serde(default)]
    pub allowed: Option<Vec<VehicleClass>>,
    /// Movements that may be made from it; absent: every one.
    #[serde(default)]
    pub movements: Option<Vec<Movement>>,
    /// Speed limit.
    #[serde(default)]
    pub speed_limit_kmh: Option<f64>,
}

/// Where a vehicle goes at the junction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Movement {
    /// To the left.
    Left,
    /// Straight on.
    Through,
    /// To the right.
    Right,
    /// Back where it came from.
    UTurn,
}

/// What a line means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// A stop line.
    Stop,
    /// Crossing it shows a movement.
    Exit,
    /// Only counted.
    Count,
}

/// A line on the road.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineConfig {
    /// Name.
    pub id: String,
    /// What it means.
    pub kind: LineKind,
    /// Its ends in the picture.
    pub points: [Point; 2],
    /// Of an exit line: what crossing it means.
    #[serde(default)]
    pub movement: Option<Movement>,
}

/// An area of the road.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneConfig {
    /// Name.
    pub id: String,
    /// Outline in the picture.
    pub polygon: Polygon,
}

/// One rule with its parameters; defaults are those of the interface.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RuleConfig {
    /// Crossing a stop line on red and going on into the junction.
    RedLight {
        /// Stop line.
        line: String,
        /// A red younger than this is not held against anybody.
        #[serde(default = "default_grace_s")]
        grace_s: f64,
        /// How far past the line on red counts as having gone on; without
        /// calibration half the height of the vehicle's box.
        #[serde(default = "default_incursion_m")]
        incursion_m: f64,
    },
    /// Crossing a stop line on steady amber.
    YellowLight {
        /// Stop line.
        line: String,
        /// Braking harder than this to stop in time marks the dilemma zone.
        #[serde(default = "default_dilemma_mps2")]
        dilemma_mps2: f64,
    },
    /// Standing past a stop line on red without going on.
    StopLine {
        /// Stop line.
        line: String,
        /// Shortest standstill.
        #[serde(default = "default_min_stop_s")]
        min_stop_s: f64,
    },
    /// Travelling against the direction of a lane.
    WrongWay {
        /// Lanes watched; absent: every lane with a direction.
        #[serde(default)]
        lanes: Option<Vec<String>>,
        /// Smallest angle in degrees between travel and lane.
        #[serde(default = "default_min_angle")]
        min_angle: f64,
        /// Shortest path; without calibration a box height counts as 1.5 m.
        #[serde(default = "default_min_path_m")]
        min_path_m: f64,
    },
    /// Travelling in a lane that is not open to the class.
    WrongLane {
        /// Lanes watched; absent: every lane that names its classes.
        #[serde(default)]
        lanes: Option<Vec<String>>,
        /// Shortest stay in the lane.
        #[serde(default = "default_lane_dwell_s")]
        min_dwell_s: f64,
    },
    /// Leaving by a movement that the lane's arrow does not show.
    LaneArrow {
        /// Lanes watched; absent: every lane that names its movements.
        #[serde(default)]
        lanes: Option<Vec<String>>,
    },
    /// On or over a solid line.
    SolidLine {
        /// The line.
        line: String,
        /// Shortest time on it; crossing it completely always counts.
        #[serde(default = "default_min_over_s")]
        min_over_s: f64,
    },
    /// A turn that a sign forbids.
    IllegalTurn {
        /// Exit line of the movement.
        line: String,
        /// Classes the sign names; absent: every class.
        #[serde(default)]
        classes: Option<Vec<VehicleClass>>,
        /// Hours on the sign.
        #[serde(default)]
        hours: Option<Vec<Hours>>,
        /// Days on the sign.
        #[serde(default)]
        days: Option<Vec<Weekday>>,
    },
    /// Turning back where it is forbidden.
    UTurn {
        /// Zone in which the path turns back.
        #[serde(default)]
        zone: Option<String>,
        /// Exit line that shows a U-turn.
        #[serde(default)]
        line: Option<String>,
    },
    /// Standing where it is forbidden.
    IllegalStop {
        /// Zone.
        zone: String,
        /// Shortest stop.
        #[serde(default = "default_stop_dwell_s")]
        min_dwell_s: f64,
    },
    /// Standing in the box without room to leave it.
    BoxBlocking {
        /// Zone.
        zone: String,
        /// Shortest stop.
        #[serde(default = "default_box_dwell_s")]
        min_dwell_s: f64,
    },
    /// Faster than the lane's limit.
    Speeding {
        /// Lanes watched; absent: every lane with a limit.
        #[serde(default)]
        lanes: Option<Vec<String>>,
        /// Above the limit and let pass.
        #[serde(default = "default_tolerance_kmh")]
        tolerance_kmh: f64,
    },
    /// A class where a sign closes it out.
    BannedClass {
        /// Lane closed to the classes.
        #[serde(default)]
        lane: Option<String>,
        /// Zone closed to the classes.
        #[serde(default)]
        zone: Option<String>,
        /// The classes.
        classes: Vec<VehicleClass>,
        /// Hours on the sign.
        #[serde(default)]
        hours: Option<Vec<Hours>>,
        /// Days on the sign.
        #[serde(default)]
        days: Option<Vec<Weekday>>,
        /// Whether a permit lets a vehicle pass.
        #[serde(default = "default_permits")]
        permits: bool,
    },
    /// Riding on the pavement.
    Sidewalk {
        /// Zone.
        zone: String,
        /// Shortest stay.
        #[serde(default = "default_pavement_dwell_s")]
        min_dwell_s: f64,
    },
    /// Passing close to a pedestrian on a crosswalk.
    FailToYieldPedestrian {
        /// The crosswalk.
        zone: String,
        /// Shortest time between the two at one point.
        #[serde(default = "default_pet_s")]
        pet_s: f64,
    },
}

fn default_aspect() -> f64 {
    16.0 / 9.0
}
fn default_grace_s() -> f64 {
    0.3
}
fn default_incursion_m() -> f64 {
    3.0
}
fn default_dilemma_mps2() -> f64 {
    3.5
}
fn default_min_stop_s() -> f64 {
    2.0
}
fn default_min_angle() -> f64 {
    120.0
}
fn default_min_path_m() -> f64 {
    8.0
}
fn default_lane_dwell_s() -> f64 {
    1.5
}
fn default_min_over_s() -> f64 {
    0.4
}
fn default_stop_dwell_s() -> f64 {
    15.0
}
fn default_box_dwell_s() -> f64 {
    5.0
}
fn default_tolerance_kmh() -> f64 {
    5.0
}
fn default_pavement_dwell_s() -> f64 {
    1.0
}
fn default_pet_s() -> f64 {
    1.5
}
fn default_permits() -> bool {
    true
}

impl JunctionConfig {
    /// Read the JSON.
    ///
    /// # Errors
    /// `InvalidInput` with the place in the text when it does not fit.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json).map_err(|e| Error::invalid(format!("rule engine configuration: {e}")))
    }
}

/// `value` when it is finite and above `min`, else an error that names it.
pub(crate) fn above(name: &str, value: f64, min: f64) -> Result<f64> {
    if value.is_finite() && value > min {
        Ok(value)
    } else {
        Err(Error::invalid(format!("{name}: expected a number above {min}, found {value}")))
    }
}

/// `value` when it is finite and not negative, else an error that names it.
pub(crate) fn not_negative(name: &str, value: f64) -> Result<f64> {
    if value.is_finite() && value >= 0.0 {
        Ok(value)
    } else {
        Err(Error::invalid(format!("{name}: expected a number from 0 up, found {value}")))
    }
}

//! When a detector looks, and what it sees: the model in place of the motion detector.
//!
//! A model costs a hundred times what decoding does, so it looks at a few
//! frames a second, and only when something has moved since it looked last.
//! What it saw then still stands where nothing has moved. All of it is
//! decided by event times and pictures, so a replay decides alike.

use serde::{Deserialize, Serialize};
use ss_model::{Chroma, Detection, Error, EventTime, LumaFrame, Result, Track};
use ss_vision::detections::merge_riders;
use ss_vision::motion::MotionDetector;
use ss_vision::picture::{PictureSpec, Preparer};

use crate::hub::Detect;

/// Moving pixels of the reduced picture that make something move: the least
/// blob of the motion detector.
const MOVING_PX: usize = 12;
/// Cameras' clocks jitter by this much, in nanoseconds.
const JITTER_NS: i64 = 2_000_000;

/// How a model is used on one camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookConfig {
    /// What it wants to see.
    pub picture: PictureSpec,
    /// Looks per second of event time, at most.
    pub rate_hz: f64,
    /// Only when something has moved.
    pub gate: bool,
    /// With the gate: at least once in so many seconds.
    pub refresh_s: f64,
    /// Persons on two-wheelers become one vehicle with them.
    pub riders: bool,
    /// Name and fingerprint of the model and its settings: a resumed run must have the same.
    pub identity: String,
}

impl LookConfig {
    /// Refuse values out of range.
    ///
    /// # Errors
    /// `InvalidInput` naming the field.
    pub fn validate(&self) -> Result<()> {
        self.picture.validate()?;
        for (name, value, most) in [("rate_hz", self.rate_hz, 240.0), ("refresh_s", self.refresh_s, 3600.0)] {
            if !(value > 0.0 && value <= most) {
                return Err(Error::invalid(format!(
                    "{name}: found {value}, expected above 0, at most {most}"
                )));
            }
        }
        Ok(())
    }
}

/// What is carried from frame to frame.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LookState {
    /// Time of the latest frame that was due.
    due: Option<EventTime>,
    /// Time of the latest frame that the model saw.
    asked: Option<EventTime>,
    /// Something has moved since.
    moved: bool,
    /// What the model saw.
    found: Vec<Detection>,
}

/// A model at work on one run of a camera.
pub struct Look {
    config: LookConfig,
    preparer: Preparer,
    blobs: Vec<Detection>,
    /// Everything that later frames depend on.
    pub state: LookState,
    /// Pictures the model was asked about.
    pub asked: u64,
}

impl Look {
    /// Having seen nothing.
    pub fn new(config: LookConfig) -> Self {
        Self {
            config,
            preparer: Preparer::default(),
            blobs: Vec::new(),
            state: LookState::default(),
            asked: 0,
        }
    }

    /// Look at the next frame; false when it is not due. What was found is
    /// then in `out`.
    ///
    /// # Errors
    /// What the detector says.
    pub fn see(
        &mut self,
        frame: &LumaFrame<'_>,
        chroma: Option<&Chroma<'_>>,
        motion: &mut MotionDetector,
        tracks: &[Track],
        eye: &mut dyn Detect,
        out: &mut Vec<Detection>,
    ) -> Result<bool> {
        let state = &mut self.state;
        if self.config.gate {
            motion.detect(frame, tracks, &mut self.blobs);
            state.moved |= motion.moving() >= MOVING_PX;
        }
        let period_ns = (1e9 / self.config.rate_hz) as i64 - JITTER_NS;
        if state.due.is_some_and(|due| frame.time.0 - due.0 < period_ns) {
            return Ok(false);
        }
        state.due = Some(frame.time);
        let stale = state.asked.is_none_or(|at| frame.time.seconds_since(at) >= self.config.refresh_s);
        if stale || state.moved || !self.config.gate {
            let picture = self.preparer.prepare(frame, chroma, &self.config.picture)?;
            state.found = eye.detect(picture)?;
            if self.config.riders {
                merge_riders(&mut state.found);
            }
            state.asked = Some(frame.time);
            state.moved = false;
            self.asked += 1;
        }
        out.clear();
        out.extend_from_slice(&state.found);
        Ok(true)
    }
}

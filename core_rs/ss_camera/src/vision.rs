//! Detector and tracker of one run, fed frame by frame.

use serde::{Deserialize, Serialize};
use ss_model::{Detection, LumaFrame, Result, Track, TrackBatch};
use ss_vision::motion::MotionDetector;
use ss_vision::tracker::Tracker;

use crate::config::CameraConfig;

/// What the camera has seen in this run.
pub struct Vision {
    size: (usize, usize),
    detector: MotionDetector,
    tracker: Tracker,
    detections: Vec<Detection>,
    /// Tracks in the latest frame: the detector keeps what is tracked from
    /// melting into the background.
    tracks: Vec<Track>,
}

/// The state of a [`Vision`], to be written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VisionState {
    size: (usize, usize),
    detector: Vec<u8>,
    tracker: Vec<u8>,
    tracks: Vec<u8>,
}

impl Vision {
    /// For pictures of `size`, having seen nothing.
    ///
    /// # Errors
    /// `InvalidInput` for parameters out of range.
    pub fn new(config: &CameraConfig, size: (usize, usize)) -> Result<Self> {
        let ground = config.ground_from_image()?;
        Ok(Self {
            size,
            detector: MotionDetector::new(config.motion.clone(), size.0, size.1, ground),
            tracker: Tracker::new(config.tracker_params()?)?,
            detections: Vec::new(),
            tracks: Vec::new(),
        })
    }

    /// Look at the next frame: how many detections, and the tracks in it.
    pub fn see(&mut self, frame: &LumaFrame<'_>) -> (usize, &mut [Track]) {
        self.detector.detect(frame, &self.tracks, &mut self.detections);
        let tracks = self.tracker.update(frame.time, &self.detections);
        self.tracks.clear();
        self.tracks.extend_from_slice(tracks);
        (self.detections.len(), &mut self.tracks)
    }

    /// Everything that later frames depend on.
    pub fn state(&self) -> VisionState {
        let mut tracks = TrackBatch::new(0);
        tracks.push(ss_model::EventTime(0), 0, &self.tracks);
        VisionState {
            size: self.size,
            detector: self.detector.snapshot(),
            tracker: self.tracker.snapshot(),
            tracks: tracks.to_bytes(),
        }
    }

    /// Go on from a state.
    ///
    /// # Errors
    /// `DataLoss` or `InvalidInput` when the state is not one of this configuration.
    pub fn restore(config: &CameraConfig, state: &VisionState) -> Result<Self> {
        let mut vision = Self::new(config, state.size)?;
        vision.detector.restore(&state.detector)?;
        vision.tracker.restore(&state.tracker)?;
        vision.tracks = TrackBatch::from_bytes(&state.tracks)?.rows;
        Ok(vision)
    }
}

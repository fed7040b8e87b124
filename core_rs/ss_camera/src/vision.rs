//! Detector and tracker of one run, fed frame by frame.

use serde::{Deserialize, Serialize};
use ss_model::{Chroma, Detection, Error, LumaFrame, Result, Track, TrackBatch};
use ss_vision::lamps::{LampReader, LampState};
use ss_vision::motion::MotionDetector;
use ss_vision::tracker::Tracker;

use crate::config::CameraConfig;
use crate::hub::Detect;
use crate::look::{Look, LookState};

/// What the camera has seen in this run.
pub struct Vision {
    size: (usize, usize),
    motion: MotionDetector,
    /// A model that detects in place of the motion detector, which then only says whether to look.
    look: Option<Look>,
    /// Reads the lamps of signal heads, where there are any.
    pub lamps: Option<LampReader>,
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
    motion: Vec<u8>,
    look: Option<LookState>,
    lamps: Option<LampState>,
    tracker: Vec<u8>,
    tracks: Vec<u8>,
}

/// What came of a frame.
pub struct Seen<'a> {
    /// How many detections there were.
    pub detections: usize,
    /// The tracks in it.
    pub tracks: &'a mut [Track],
    /// A detector from outside was asked.
    pub asked: bool,
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
            motion: MotionDetector::new(config.motion.clone(), size.0, size.1, ground),
            look: config.look.clone().map(Look::new),
            lamps: (!config.heads.is_empty()).then(|| LampReader::new(&config.heads)).transpose()?,
            tracker: Tracker::new(config.tracker_params()?)?,
            detections: Vec::new(),
            tracks: Vec::new(),
        })
    }

    /// Look at the next frame; `None` when it lies between two looks of a
    /// model, so that nothing is known of it.
    ///
    /// # Errors
    /// What `eye` says, which is needed when the configuration names a model.
    pub fn see(
        &mut self,
        frame: &LumaFrame<'_>,
        chroma: Option<&Chroma<'_>>,
        eye: Option<&mut dyn Detect>,
    ) -> Result<Option<Seen<'_>>> {
        let mut asked = false;
        if let Some(look) = &mut self.look {
            let eye =
                eye.ok_or_else(|| Error::internal("a camera with a model, but no detector behind it"))?;
            let before = look.asked;
            if !look.see(frame, chroma, &mut self.motion, &self.tracks, eye, &mut self.detections)? {
                return Ok(None);
            }
            asked = look.asked > before;
        } else {
            self.motion.detect(frame, &self.tracks, &mut self.detections);
        }
        let tracks = self.tracker.update(frame.time, &self.detections);
        self.tracks.clear();
        self.tracks.extend_from_slice(tracks);
        Ok(Some(Seen { detections: self.detections.len(), tracks: &mut self.tracks, asked }))
    }

    /// Everything that later frames depend on.
    pub fn state(&self) -> VisionState {
        let mut tracks = TrackBatch::new(0);
        tracks.push(ss_model::EventTime(0), 0, &self.tracks);
        VisionState {
            size: self.size,
            motion: self.motion.snapshot(),
            look: self.look.as_ref().map(|look| look.state.clone()),
            lamps: self.lamps.as_ref().map(LampReader::state),
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
        vision.motion.restore(&state.motion)?;
        if let (Some(look), Some(state)) = (&mut vision.look, &state.look) {
            look.state = state.clone();
        }
        if let (Some(lamps), Some(state)) = (&mut vision.lamps, &state.lamps) {
            lamps.restore(state)?;
        }
        vision.tracker.restore(&state.tracker)?;
        vision.tracks = TrackBatch::from_bytes(&state.tracks)?.rows;
        Ok(vision)
    }
}

//! Motion detector for a fixed camera: background model on reduced luma, blobs to detections.
//!
//! The way of a frame: [`reduce`] → [`background`] labels every pixel →
//! [`blobs`] connects them → [`vehicles`] finds the road users in them.
//! Everything is a function of the frames and tracks given so far: two
//! detectors fed alike answer alike, and so does one restored from a snapshot.

mod background;
mod blobs;
mod camera;
mod reduce;
mod vehicles;

use serde::{Deserialize, Serialize};
use ss_model::{Detection, Error, EventTime, Homography, LumaFrame, Result, Track};

use background::Background;
use blobs::{Components, majority};
use camera::Camera;
use reduce::{Plane, Reducer};

/// First byte of a snapshot.
const SNAPSHOT_VERSION: u8 = 1;

/// What a user may set. The defaults are meant to fit every fixed road camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MotionConfig {
    /// Least number of columns the picture is reduced to; the factor is whole.
    pub analysis_width: usize,
    /// Least contrast to the street, in levels of 256, that counts as foreground.
    pub min_contrast: u8,
    /// A vehicle that stands longer than this becomes part of the street.
    pub hold_s: f64,
}

impl Default for MotionConfig {
    fn default() -> Self {
        Self { analysis_width: 640, min_contrast: 10, hold_s: 180.0 }
    }
}

/// Finds moving and stopped road users in the pictures of one fixed camera.
#[derive(Clone, Debug)]
pub struct MotionDetector {
    config: MotionConfig,
    camera: Option<Camera>,
    reducer: Reducer,
    arch: pulp::Arch,
    size: (usize, usize),
    state: Option<State>,
    // Buffers of one frame.
    picture: Plane,
    labels: Plane,
    mask: Plane,
    sums: Vec<u8>,
    components: Components,
}

/// What is carried from frame to frame.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    background: Background,
    time: EventTime,
}

impl MotionDetector {
    /// For luma planes of `width`×`height`. `ground_from_image` takes
    /// normalised picture points to metres; without it, or when no pinhole
    /// camera can have it, classes stay unknown and nothing is split by size.
    pub fn new(
        config: MotionConfig,
        width: usize,
        height: usize,
        ground_from_image: Option<Homography>,
    ) -> Self {
        let reducer = Reducer::new(width, height, config.analysis_width);
        let (w, h) = (reducer.width, reducer.height);
        let camera = ground_from_image.and_then(|g| {
            // The reduced picture may leave out a few columns and rows of the source.
            let seen = [w, h].map(|n| (n * reducer.factor) as f64);
            let part = Homography([
                seen[0] / width.max(1) as f64,
                0.0,
                0.0,
                0.0,
                seen[1] / height.max(1) as f64,
                0.0,
                0.0,
                0.0,
                1.0,
            ]);
            Camera::new(&g.after(&part), w, h)
        });
        Self {
            config,
            camera,
            arch: pulp::Arch::new(),
            size: (width, height),
            state: None,
            picture: Plane::new(w, h, 0),
            labels: Plane::new(w, h, 0),
            mask: Plane::new(w, h, 0),
            sums: vec![0; w],
            components: Components::default(),
            reducer,
        }
    }

    /// Append to `out` (cleared first) the road users seen in `frame`.
    ///
    /// `tracks` are the tracks after the previous frame: where something is
    /// tracked, standing still does not make it part of the street. A frame
    /// whose size differs from the detector's is ignored: `out` stays empty.
    pub fn detect(&mut self, frame: &LumaFrame, tracks: &[Track], out: &mut Vec<Detection>) {
        let _ = tracks;
        out.clear();
        if (frame.width, frame.height) != self.size || self.picture.data.is_empty() || !holds(frame) {
            return;
        }
        self.reducer.reduce(frame, &mut self.picture);
        let Some(state) = &mut self.state else {
            let background = Background::new(&self.picture, self.config.min_contrast);
            self.state = Some(State { background, time: frame.time });
            return;
        };
        let elapsed_s = frame.time.seconds_since(state.time).clamp(0.0, 10.0);
        let ticks = (elapsed_s / 0.04).round() as u8;
        state.time = frame.time;
        state.background.classify(&self.picture, ticks, &mut self.labels, self.arch);
        majority(&self.labels, &mut self.sums, &mut self.mask, self.arch);
        state.background.update(&self.picture, &self.labels);
        self.components.find(&self.mask);
        let scale = (
            self.reducer.factor as f32 / self.size.0 as f32,
            self.reducer.factor as f32 / self.size.1 as f32,
        );
        let camera = self.camera.as_ref();
        out.extend(self.components.blobs.iter().filter_map(|b| vehicles::detection(b, camera, scale)));
    }

    /// The whole state; the first byte is a version.
    pub fn snapshot(&self) -> Vec<u8> {
        // Writing plain values to a growing vector cannot fail.
        postcard::to_extend(&self.state, vec![SNAPSHOT_VERSION]).unwrap_or_default()
    }

    /// Carry on from a snapshot of a detector of the same picture size.
    ///
    /// # Errors
    /// `DataLoss` when `bytes` is not a whole snapshot of this version and
    /// size; the detector is then as it was.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        let bad = |what: &str| {
            Error::new(
                ss_model::ErrorKind::DataLoss,
                format!("motion snapshot: {what} ({} bytes)", bytes.len()),
            )
        };
        let (version, rest) = bytes.split_first().ok_or_else(|| bad("empty"))?;
        if *version != SNAPSHOT_VERSION {
            return Err(bad(&format!("version {version}, expected {SNAPSHOT_VERSION}")));
        }
        let state: Option<State> = postcard::from_bytes(rest).map_err(|e| bad(&e.to_string()))?;
        let (w, h) = (self.picture.width, self.picture.height);
        if state.as_ref().is_some_and(|s| !s.background.fits(w, h)) {
            return Err(bad(&format!("of another picture size, expected {w}×{h}")));
        }
        self.state = state;
        Ok(())
    }
}

/// The plane has all the bytes its sizes promise.
fn holds(frame: &LumaFrame) -> bool {
    frame.stride >= frame.width
        && frame.height > 0
        && frame.data.len() >= frame.stride * (frame.height - 1) + frame.width
}

//! Motion detector for a fixed camera: background model on reduced luma, blobs to detections.
//!
//! The way of a frame: [`reduce`] → [`background`] labels every pixel →
//! [`blobs`] connects them → [`vehicles`] finds the road users in them.
//! Everything is a function of the frames and tracks given so far: two
//! detectors fed alike answer alike, and so does one restored from a snapshot.

mod background;
mod blobs;
mod camera;
mod flow;
mod reduce;
mod targets;
mod vehicles;

use serde::{Deserialize, Serialize};
use ss_model::{BoxF, Detection, Error, EventTime, Homography, LumaFrame, Result, Track, VehicleClass};

use background::Background;
use blobs::{Components, majority};
use camera::{Camera, Rect};
use reduce::{Plane, Reducer};
use targets::{Target, Targets, Views};
use vehicles::{Explainer, Found, class_by_size, texture};

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
    owner: Plane,
    sums: Vec<u8>,
    components: Components,
    explainer: Explainer,
    found: Vec<Found>,
}

/// What is carried from frame to frame.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    background: Background,
    targets: Targets,
    /// The frame before, reduced, and its foreground.
    before: Plane,
    before_mask: Plane,
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
            owner: Plane::new(w, h, 0),
            sums: vec![0; w],
            components: Components::default(),
            explainer: Explainer::default(),
            found: Vec::new(),
            reducer,
        }
    }

    /// Append to `out` (cleared first) the road users seen in `frame`.
    ///
    /// `tracks` are the tracks after the previous frame: where something is
    /// tracked, standing still does not make it part of the street. A frame
    /// whose size differs from the detector's is ignored: `out` stays empty.
    pub fn detect(&mut self, frame: &LumaFrame, tracks: &[Track], out: &mut Vec<Detection>) {
        out.clear();
        if (frame.width, frame.height) != self.size || self.picture.data.is_empty() || !holds(frame) {
            return;
        }
        self.reducer.reduce(frame, &mut self.picture);
        let scale = self.scale();
        let Some(state) = &mut self.state else {
            self.state = Some(State::new(&self.picture, self.config.min_contrast, frame.time));
            return;
        };
        let elapsed_s = frame.time.seconds_since(state.time).clamp(0.0, 10.0);
        let ticks = (elapsed_s / 0.04).round() as u8;
        state.background.classify(&self.picture, ticks, &mut self.labels, self.arch);
        majority(&self.labels, &mut self.sums, &mut self.mask, self.arch);
        state.targets.sync(tracks, scale, state.time);
        let camera = self.camera.as_ref();
        let views = Views {
            before: &state.before,
            before_mask: &state.before_mask,
            now: &self.picture,
            mask: &self.mask,
            time: frame.time,
            elapsed_s: elapsed_s as f32,
        };
        state.targets.follow(&views, camera, &mut self.owner);
        let normalised = |rect: &Rect| BoxF {
            x1: rect.x1 * scale.0,
            y1: rect.y1 * scale.1,
            x2: rect.x2 * scale.0,
            y2: rect.y2 * scale.1,
        };
        for target in state.targets.list.iter().filter(|t| t.is_seen()) {
            out.push(Detection {
                bbox: normalised(&target.rect),
                score: 0.5 + 0.5 * target.coverage.min(1.0),
                class: camera.map_or(VehicleClass::Unknown, |c| class_by_size(c, &target.rect)),
                flags: Track::CLASS_BY_SIZE | if target.visible < 0.4 { Track::DOUBTFUL } else { 0 },
            });
        }
        // The mask keeps what nobody claims.
        std::mem::swap(&mut state.before_mask, &mut self.mask);
        self.mask.data.copy_from_slice(&state.before_mask.data);
        for target in &state.targets.list {
            claim(target, frame.time, &mut self.mask);
        }
        self.components.find(&self.mask);
        self.found.clear();
        for (i, blob) in self.components.blobs.iter().enumerate() {
            let rect =
                Rect { x1: blob.x1 as f32, y1: blob.y1 as f32, x2: blob.x2 as f32, y2: blob.y2 as f32 };
            let settled = blob.settled * 10 > blob.area * 7;
            if settled && is_ghost(&state.background.level, &self.picture, &rect) {
                for (y, x1, x2) in self.components.runs_of(i) {
                    state.background.absorb(y, x1, x2);
                }
                continue;
            }
            if blob.area >= 12 {
                self.explainer.explain(&self.components, i, camera, &mut self.found);
            }
        }
        self.found.retain(|f| !is_ghost(&state.background.level, &self.picture, &f.rect));
        out.extend(self.found.iter().map(|f| Detection {
            bbox: normalised(&f.rect),
            score: f.score,
            class: f.class,
            flags: Track::CLASS_BY_SIZE,
        }));
        state.background.update(&self.picture, &self.labels);
        std::mem::swap(&mut state.before, &mut self.picture);
        state.time = frame.time;
    }

    /// Normalised units per pixel of the reduced picture.
    fn scale(&self) -> (f32, f32) {
        let k = self.reducer.factor as f32;
        (k / self.size.0 as f32, k / self.size.1 as f32)
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
        if state.as_ref().is_some_and(|s| !s.fits(w, h)) {
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

impl State {
    fn new(picture: &Plane, floor: u8, time: EventTime) -> Self {
        Self {
            background: Background::new(picture, floor),
            targets: Targets::default(),
            before: picture.clone(),
            before_mask: Plane::new(picture.width, picture.height, 0),
            time,
        }
    }

    fn fits(&self, width: usize, height: usize) -> bool {
        self.background.fits(width, height)
            && [&self.before, &self.before_mask].iter().all(|p| p.is(width, height))
    }
}

/// Remove the pixels of `target` from `mask`; of one that stands, only what
/// has settled: somebody may pass in front of it.
fn claim(target: &Target, now: EventTime, mask: &mut Plane) {
    if !target.is_seen() {
        return;
    }
    let stands = now.seconds_since(target.moved) > 1.0;
    let margin = (0.08 * target.rect.width().min(target.rect.height())).max(1.0);
    let r = target.rect;
    let around = Rect { x1: r.x1 - margin, y1: r.y1 - margin, x2: r.x2 + margin, y2: r.y2 + margin };
    let (xs, ys) = around.pixels(mask.width, mask.height);
    for y in ys {
        for pixel in &mut mask.row_mut(y)[xs.clone()] {
            if !stands || *pixel != background::label::MOVING {
                *pixel = background::label::STREET;
            }
        }
    }
}

/// What differs from the street here is smoother than the street was: the
/// street has been revealed, nobody has come.
fn is_ghost(street: &Plane, picture: &Plane, rect: &Rect) -> bool {
    2.0 * texture(picture, rect) < texture(street, rect)
}

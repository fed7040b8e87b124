//! Motion detector for a fixed camera: background model on reduced luma, blobs to detections.
//!
//! The way of a frame: [`Reducer`] → [`gain`] → [`background`] labels every pixel →
//! [`targets`] takes its own → [`blobs`] connects the rest → [`vehicles`] finds
//! the road users in it; [`revise`] doubts who is followed.
//! Everything is a function of the frames and tracks given so far: two
//! detectors fed alike answer alike, and so does one restored from a snapshot.

mod background;
mod bits;
mod blobs;
mod bootstrap;
mod camera;
mod classify;
mod edges;
mod flow;
mod gain;
mod ghosts;
mod light;
mod majority;
mod mask;
mod places;
mod plane;
mod revise;
mod shadow;
mod sizes;
mod targets;
mod vehicles;
mod window;

use serde::{Deserialize, Serialize};
use ss_model::{
    BoxF, Detection, Error, EventTime, Homography, LumaFrame, Reducer, Result, Track, VehicleClass,
};

use background::Background;
use blobs::Components;
use camera::{Camera, Rect};
use gain::Gain;
use ghosts::{Ghosts, Spared, is_revealed};
use light::{Light, is_glow};
use majority::Majority;
use mask::Mask;
use places::Places;
use plane::Plane;
use revise::{doubtful, mark_firm, revise};
use shadow::Shadow;
use sizes::{KINDS, Sizes};
use targets::{Target, Targets, Views};
use vehicles::{Explainer, Found, Hidden, Scene};

/// Share of a newcomer's pixels that must move: what stands without ever
/// having come is no road user.
const MIN_MOVING: f32 = 0.3;
/// Who is followed is held against the whole picture once in this many frames.
const REVISE_TURNS: u64 = 4;
/// First byte of a snapshot.
const SNAPSHOT_VERSION: u8 = 4;

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
    sizes: Option<Sizes>,
    reducer: Reducer,
    arch: pulp::Arch,
    size: (usize, usize),
    state: Option<State>,
    // Buffers of one frame.
    /// As the camera exposed it, and as the street's exposure would have had it.
    raw: Plane,
    picture: Plane,
    /// What every pixel shows by itself, after the vote of its neighbours, and less what is claimed.
    labels: Mask,
    mask: Mask,
    unclaimed: Mask,
    light: Light,
    majority: Majority,
    /// Whose place each pixel is: see [`Targets::follow`].
    owner: Places,
    /// Where those are who are as large as road users are: see [`revise`].
    firm: Places,
    /// Where those are who are not.
    doubted: Vec<Rect>,
    components: Components,
    explainer: Explainer,
    found: Vec<Found>,
}

/// What is carried from frame to frame.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    background: Background,
    shadow: Shadow,
    ghosts: Ghosts,
    targets: Targets,
    /// The frame before, reduced, and its foreground.
    before: Plane,
    before_mask: Mask,
    time: EventTime,
    frames: u64,
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
        let sizes = camera.as_ref().map(|c| Sizes::of(c, w, h));
        Self {
            config,
            sizes,
            camera,
            arch: pulp::Arch::new(),
            size: (width, height),
            state: None,
            raw: Plane::new(w, h, 0),
            picture: Plane::new(w, h, 0),
            labels: Mask::new(w, h),
            mask: Mask::new(w, h),
            unclaimed: Mask::new(w, h),
            light: Light::default(),
            majority: Majority::default(),
            owner: Places::new(w, h),
            firm: Places::new(w, h),
            doubted: Vec::new(),
            components: Components::default(),
            explainer: Explainer::default(),
            found: Vec::new(),
            reducer,
        }
    }

    /// Take `frame` smaller; it has the detector's size.
    fn reduce(&mut self, frame: &LumaFrame) {
        let out = &mut self.picture.data;
        match frame.reduced {
            Some(made) if made.factor == self.reducer.factor && made.data.len() == out.len() => {
                out.copy_from_slice(made.data);
            }
            _ => self.reducer.rows(frame.data, frame.stride, out),
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
        self.reduce(frame);
        let scale = self.scale();
        let Some(state) = &mut self.state else {
            self.begin(frame.time);
            return;
        };
        let gain = Gain::of(&self.picture, &state.background.level, self.arch);
        if let Some(gain) = &gain {
            std::mem::swap(&mut self.raw, &mut self.picture);
            gain.take_off(&self.raw, &mut self.picture, self.arch);
        }
        let elapsed_s = frame.time.seconds_since(state.time).clamp(0.0, 10.0);
        let ticks = (elapsed_s / 0.04).round() as u8;
        state.background.classify(&self.picture, ticks, &mut self.labels, self.arch);
        let street = &state.background.level;
        state.shadow.remove((&self.picture, street), &mut self.labels, 1, self.arch);
        self.light.remove(&self.picture, street, &mut self.labels, self.arch);
        self.majority.vote(&self.labels, &mut self.mask, self.arch);
        state.targets.sync(tracks, scale, (self.picture.width, self.picture.height), state.time);
        let camera = self.camera.as_ref();
        let views = Views {
            before: &state.before,
            before_mask: &state.before_mask.set,
            now: &self.picture,
            mask: &self.mask,
            time: frame.time,
            elapsed_s: elapsed_s as f32,
        };
        state.targets.follow(&views, camera, &mut self.owner);
        let (background, picture, foreground) = (&state.background, &self.picture, &self.labels.set);
        state.targets.unmask(state.frames, |rect| is_revealed(background, picture, foreground, rect));
        if let Some(sizes) = &self.sizes
            && state.frames.is_multiple_of(REVISE_TURNS)
        {
            doubtful(&state.targets.list, sizes, frame.time, &mut self.doubted);
            if self.doubted.is_empty() {
                self.found.clear();
            } else {
                mark_firm(&state.targets.list, sizes, frame.time, &mut self.firm);
                self.components.find(&self.mask);
                let scene = Scene {
                    components: &self.components,
                    mask: &self.mask,
                    hidden: Some((&self.firm.plane, Hidden::Known)),
                    sizes: Some(sizes),
                    about: Some(&self.doubted),
                    min_moving: 0.0,
                    kinds: &KINDS,
                };
                self.explainer.explain(&scene, &mut self.found);
            }
            revise(&mut state.targets.list, &self.found, sizes, frame.time);
        }
        report(&state.targets.list, self.sizes.as_ref(), scale, frame.time, out);
        self.unclaimed.copy_from(&self.mask);
        for target in &state.targets.list {
            claim(target, frame.time, &mut self.unclaimed);
        }
        self.components.find(&self.unclaimed);
        let scene = Scene {
            components: &self.components,
            mask: &self.unclaimed,
            hidden: Some((&self.owner.plane, Hidden::Before)),
            sizes: self.sizes.as_ref(),
            about: None,
            min_moving: MIN_MOVING,
            kinds: &KINDS,
        };
        self.explainer.explain(&scene, &mut self.found);
        self.found.retain(|f| {
            !is_revealed(background, picture, foreground, &f.rect)
                && !is_glow(picture, &background.level, &f.rect)
        });
        out.extend(self.found.iter().map(|f| Detection {
            bbox: normalised(&f.rect, scale),
            score: f.score,
            class: f.class,
            flags: Track::CLASS_BY_SIZE,
        }));
        let hold_s = self.config.hold_s;
        let held = state.targets.held(frame.time, hold_s);
        let spared = Spared { owner: &self.owner.plane, held: &held };
        state.ghosts.absorb(
            &mut state.background,
            (&self.picture, &self.labels.set, &self.labels.settled),
            (state.frames, elapsed_s as f32, hold_s as f32),
            &spared,
        );
        let raw = if gain.is_some() { &self.raw } else { &self.picture };
        state.background.update((&self.picture, raw), &self.labels.set, &self.mask.set, self.arch);
        std::mem::swap(&mut state.before_mask, &mut self.mask);
        std::mem::swap(&mut state.before, &mut self.picture);
        state.time = frame.time;
        state.frames += 1;
    }

    /// The first picture: who waits in it is no part of the street.
    fn begin(&mut self, time: EventTime) {
        let mut shadow = Shadow::default();
        let (camera, floor) = (self.camera.as_ref().zip(self.sizes.as_ref()), self.config.min_contrast);
        let (background, waiting) = bootstrap::street(&self.picture, camera, &mut shadow, floor, self.arch);
        let mut state = State::new(background, &self.picture, time);
        state.shadow = shadow;
        state.targets.list.extend(waiting.iter().map(|f| Target::waiting(f.rect, time)));
        self.state = Some(state);
    }

    /// Normalised units per pixel of the reduced picture.
    fn scale(&self) -> (f32, f32) {
        let k = self.reducer.factor as f32;
        (k / self.size.0 as f32, k / self.size.1 as f32)
    }

    /// How many pixels of the latest frame, reduced, are moving foreground.
    pub fn moving(&self) -> usize {
        let mask = self.state.as_ref().map_or(&self.mask, |s| &s.before_mask);
        mask.count_moving(&(0..mask.width), 0..mask.height)
    }

    /// Foreground of the latest frame for diagnosis: per reduced pixel 0 street,
    /// 1 moving, 2 settled, 4 maybe shadow.
    pub fn foreground(&self) -> Vec<u8> {
        Plane::from(self.state.as_ref().map_or(&self.mask, |s| &s.before_mask).clone()).data
    }

    /// The empty street as the model has it, for diagnosis: one level per
    /// reduced pixel; `None` before the first frame.
    pub fn street(&self) -> Option<&[u8]> {
        self.state.as_ref().map(|s| &s.background.level.data[..])
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
    fn new(background: Background, picture: &Plane, time: EventTime) -> Self {
        Self {
            background,
            shadow: Shadow::default(),
            ghosts: Ghosts::new(picture.width, picture.height),
            targets: Targets::default(),
            before: picture.clone(),
            before_mask: Mask::new(picture.width, picture.height),
            time,
            frames: 0,
        }
    }

    fn fits(&self, width: usize, height: usize) -> bool {
        self.background.fits(width, height)
            && self.shadow.is_sound()
            && self.ghosts.fits(width, height)
            && self.before.is(width, height)
            && self.before_mask.is(width, height)
    }
}

/// Append the detections of the `targets` seen at `now`.
fn report(
    targets: &[Target],
    sizes: Option<&Sizes>,
    scale: (f32, f32),
    now: EventTime,
    out: &mut Vec<Detection>,
) {
    out.extend(targets.iter().filter(|t| t.is_reported(now)).map(|target| Detection {
        bbox: normalised(&target.rect, scale),
        score: 0.5 + 0.5 * target.coverage.min(1.0),
        class: sizes.map_or(VehicleClass::Unknown, |s| s.class(&target.rect, target.along, target.is_fast())),
        flags: Track::CLASS_BY_SIZE | if target.visible < 0.4 { Track::DOUBTFUL } else { 0 },
    }));
}

/// `rect` in units of which a pixel of the reduced picture has `scale`.
fn normalised(rect: &Rect, scale: (f32, f32)) -> BoxF {
    BoxF { x1: rect.x1 * scale.0, y1: rect.y1 * scale.1, x2: rect.x2 * scale.0, y2: rect.y2 * scale.1 }
}

/// Remove the pixels of `target` from `mask`; of one that stands, only what
/// has settled: somebody may pass in front of it.
fn claim(target: &Target, now: EventTime, mask: &mut Mask) {
    if target.seen != now {
        return;
    }
    let stands = now.seconds_since(target.moved) > 1.0;
    let margin = (0.08 * target.rect.width().min(target.rect.height())).max(1.0);
    let (xs, ys) = target.rect.grown_by(margin).pixels(mask.width, mask.height);
    mask.clear(&xs, ys, stands);
}

#[cfg(test)]
mod tests;

//! What a camera's chain needs to know.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use ss_ingest::Wants;
use ss_ingest::live::LiveConfig;
use ss_model::{Error, Homography, Point, Result};
use ss_vision::lamps::HeadConfig;
use ss_vision::motion::MotionConfig;
use ss_vision::picture::Form;
use ss_vision::tracker::TrackerParams;
use xxhash_rust::xxh3::xxh3_64;

use crate::look::LookConfig;

/// Pairs of one point in the picture and on the ground.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Normalised points in the picture.
    pub image: Vec<[f64; 2]>,
    /// The same points on the ground, in metres.
    pub world_m: Vec<[f64; 2]>,
}

/// One camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraConfig {
    /// Its id in the site file.
    pub camera: String,
    /// Consecutive video files, one run.
    #[serde(default)]
    pub files: Vec<PathBuf>,
    /// Instead of files: a live camera.
    #[serde(default)]
    pub live: Option<LiveConfig>,
    /// Event time of the first frame.
    pub start_time_ns: i64,
    /// `motion` is the only one that lives in this crate; any other needs `look`.
    #[serde(default = "motion")]
    pub detector: String,
    /// Settings of the motion detector.
    #[serde(default)]
    pub motion: MotionConfig,
    /// How a detector from outside is used.
    #[serde(default)]
    pub look: Option<LookConfig>,
    /// Preset of the tracker.
    #[serde(default = "motion")]
    pub tracker_preset: String,
    /// Parameters of the preset to change, by name.
    #[serde(default)]
    pub tracker: BTreeMap<String, f64>,
    /// Signal heads whose lamps are read.
    #[serde(default)]
    pub heads: Vec<HeadConfig>,
    /// Ground plane, where known.
    #[serde(default)]
    pub calibration: Option<Calibration>,
    /// Seconds of processing between two writings of the vision state.
    #[serde(default = "ten")]
    pub checkpoint_s: f64,
    /// Longest batch of tracks, in milliseconds of event time.
    #[serde(default = "quarter_second")]
    pub batch_ms: u32,
}

fn motion() -> String {
    "motion".into()
}

fn ten() -> f64 {
    10.0
}

fn quarter_second() -> u32 {
    250
}

/// The shorter side of the smallest lamp of a head, given as JSON, in a picture of `size`.
///
/// # Errors
/// `InvalidInput` for what is no head.
pub fn lamp_size_px(head: &[u8], size: (usize, usize)) -> Result<f64> {
    let head: HeadConfig =
        serde_json::from_slice(head).map_err(|e| Error::invalid(format!("signal head: {e}")))?;
    head.validate()?;
    Ok(head.least_px(size))
}

impl CameraConfig {
    /// Read the JSON form and check it.
    ///
    /// # Errors
    /// `InvalidInput` that names the field, what was found and what was expected.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let config: Self = serde_json::from_slice(bytes)
            .map_err(|e| Error::invalid(format!("camera configuration: {e}")))?;
        let bad = |what: String| Err(Error::invalid(format!("camera {}: {what}", config.camera)));
        if (config.detector == "motion") == config.look.is_some() {
            let look = if config.look.is_some() { "with" } else { "without" };
            return bad(format!(
                "detector: found \"{}\" {look} `look`, expected \"motion\" without or another with it",
                config.detector
            ));
        }
        if let Some(look) = &config.look {
            look.validate()?;
        }
        if let Some(live) = &config.live {
            if !config.files.is_empty() {
                return bad("found `files` and `live`, expected one of them".into());
            }
            if let Err(e) = live.validate() {
                return bad(format!("live: {}", e.message));
            }
        }
        if let Some(Err(e)) = config.heads.iter().map(HeadConfig::validate).find(Result::is_err) {
            return bad(e.message);
        }
        if !(config.checkpoint_s.is_finite() && config.checkpoint_s >= 0.0) {
            return bad(format!("checkpoint_s: found {}, expected 0 or more", config.checkpoint_s));
        }
        if config.batch_ms == 0 {
            return bad("batch_ms: found 0, expected 1 or more".into());
        }
        config.tracker_params()?;
        config.ground_from_image()?;
        Ok(config)
    }

    /// What its detectors and readers of lamps look at.
    pub fn wants(&self) -> Wants {
        let look = self.look.as_ref();
        Wants {
            colour: look.is_some_and(|look| look.picture.form != Form::Luma) || !self.heads.is_empty(),
            columns: look.is_none_or(|look| look.gate).then_some(self.motion.analysis_width),
        }
    }

    /// The tracker's parameters.
    ///
    /// # Errors
    /// `InvalidInput` for an unknown preset or name, or a value out of range.
    pub fn tracker_params(&self) -> Result<TrackerParams> {
        let mut params = TrackerParams::preset(&self.tracker_preset)?;
        for (name, &value) in &self.tracker {
            params.set(name, value)?;
        }
        Ok(params)
    }

    /// Metres from normalised picture points, when calibrated.
    ///
    /// # Errors
    /// `InvalidInput` when the pairs determine no map.
    pub fn ground_from_image(&self) -> Result<Option<Homography>> {
        let Some(calibration) = &self.calibration else { return Ok(None) };
        let points = |from: &[[f64; 2]]| from.iter().map(|p| Point { x: p[0], y: p[1] }).collect::<Vec<_>>();
        Homography::fit(&points(&calibration.image), &points(&calibration.world_m)).map(Some)
    }

    /// Fingerprint of everything that decides the results: the settings and
    /// the names and lengths of the files (not the folder they lie in).
    ///
    /// # Errors
    /// `InvalidInput` when a file cannot be looked at.
    pub fn fingerprint(&self) -> Result<u64> {
        let lengths = self.files.iter().map(|path| {
            let meta = std::fs::metadata(path)
                .map_err(|e| Error::invalid(format!("{}: cannot be opened ({e})", path.display())))?;
            Ok((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), meta.len()))
        });
        let files = lengths.collect::<Result<Vec<_>>>()?;
        // When the state is written decides nothing.
        let decisive = Self { files: Vec::new(), checkpoint_s: 0.0, ..self.clone() };
        let text = serde_json::to_vec(&(decisive, files))
            .map_err(|e| Error::internal(format!("camera configuration: {e}")))?;
        Ok(xxh3_64(&text))
    }
}

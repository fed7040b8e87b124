//! What a tracker believes about detector and traffic; presets.

use ss_model::{Error, Result};

/// No sighting that continues a track lies as far from it (squared Mahalanobis distance).
const FARTHEST: f32 = 1e9;

/// Thresholds of association and lifecycle.
///
/// Similarities and gates are in 0–1. No parameter depends on the unit of the
/// boxes: every length is relative to the road user's own width or height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackerParams {
    /// Detections below this score are not used at all.
    pub low_score: f32,
    /// From this score a detection may continue any track.
    pub high_score: f32,
    /// From this score a detection that continues no track starts one.
    pub new_score: f32,
    /// Each side of a box grows by this share of its size when strong detections are associated.
    pub buffer_high: f32,
    /// The same for weak detections.
    pub buffer_low: f32,
    /// Smallest similarity that associates a strong detection.
    pub gate_high: f32,
    /// Smallest overlap that associates a weak detection.
    pub gate_low: f32,
    /// Smallest overlap that associates a strong detection with an unconfirmed track.
    pub gate_new: f32,
    /// Multiply the overlap by the overlap of the vertical extents: on a road,
    /// the height in the picture tells near from far.
    pub height_weighted: bool,
    /// Multiply the overlap by the detection's score, so that of two candidates the surer one wins.
    pub score_weighted: bool,
    /// Of two detections that overlap more than this (whatever their class) the weaker is a duplicate; 1 keeps all.
    pub duplicate_iou: f32,
    /// Detections in consecutive frames that make a track; 1 confirms at once.
    pub confirm_hits: u32,
    /// A track without detection is forgotten after this time.
    pub lost_s: f32,
    /// The time step for which the filter's noise is stated.
    pub nominal_step_s: f32,
    /// Scale of the filter's process noise (standard deviation); 1 is BoT-SORT's.
    pub process_noise: f32,
    /// An association is doubtful when a rival is at least this share as good …
    pub doubt_ratio: f32,
    /// … and the sighting lies no nearer than this to where the track was
    /// expected (squared Mahalanobis distance): who stands where he stood is himself.
    pub doubt_moved: f32,
    /// It is doubtful with any rival when the sighting lies this far from there.
    pub doubt_far: f32,
    /// An association is doubtful when the track was unseen for longer and
    /// missed in more than one frame. On
    /// KITTI one in a thousand associations from frame to frame is wrong, one
    /// in six after three frames.
    pub doubt_gap_s: f32,
    /// Blobs merge and split: an association is doubtful when its detection
    /// covers this share of a track that just lost its own, or when its
    /// prediction covers this share of a detection that begins a track; 1 never.
    pub doubt_cover: f32,
}

impl TrackerParams {
    /// Road vehicles from a detector with calibrated scores, every first sighting reported.
    ///
    /// Chosen by ablation on KITTI and AI City detections: buffered overlap
    /// (Yang et al. 2023, C-BIoU), height-modulated overlap (Yang et al. 2024,
    /// Hybrid-SORT), score fusion and two-stage association (Zhang et al.
    /// 2022, `ByteTrack`), doubled process noise.
    pub fn vehicle() -> Self {
        Self {
            low_score: 0.1,
            high_score: 0.4,
            new_score: 0.6,
            buffer_high: 0.3,
            buffer_low: 0.5,
            gate_high: 0.2,
            gate_low: 0.5,
            gate_new: 0.3,
            height_weighted: true,
            score_weighted: true,
            duplicate_iou: 0.7,
            confirm_hits: 1,
            lost_s: 1.0,
            nominal_step_s: 0.1,
            process_noise: 2.0,
            doubt_ratio: 0.7,
            doubt_moved: 0.25,
            doubt_far: 6.0,
            doubt_gap_s: 0.25,
            doubt_cover: 1.0,
        }
    }

    /// As [`vehicle`](Self::vehicle), but a track needs two sightings: half the
    /// identity switches for a frame of delay.
    pub fn vehicle_stable() -> Self {
        Self { confirm_hits: 2, ..Self::vehicle() }
    }

    /// People on foot: they deform and pass close to each other, so plain
    /// overlap, tighter motion, two sightings, and the score thresholds of the
    /// literature on them (Zhang et al. 2022).
    pub fn pedestrian() -> Self {
        Self {
            high_score: 0.6,
            new_score: 0.7,
            buffer_high: 0.0,
            buffer_low: 0.0,
            height_weighted: false,
            confirm_hits: 2,
            nominal_step_s: 0.04,
            process_noise: 1.0,
            ..Self::vehicle()
        }
    }

    /// Blobs of the motion detector: their scores rank nothing, they vanish
    /// for a few frames, and several sightings are needed before one is more
    /// than a reflection.
    pub fn motion() -> Self {
        Self {
            low_score: 0.0,
            high_score: 0.0,
            new_score: 0.0,
            gate_high: 0.15,
            score_weighted: false,
            duplicate_iou: 1.0,
            confirm_hits: 3,
            lost_s: 1.5,
            // The edges of a blob tremble far more than the filter assumes: rivals alone tell.
            doubt_moved: 0.0,
            doubt_far: FARTHEST,
            doubt_gap_s: 0.5,
            doubt_cover: 0.6,
            ..Self::vehicle()
        }
    }

    /// A detection model at a few looks a second, its scores uncalibrated:
    /// tracks begin at a middling score, need two sightings, and outlive the
    /// few looks in which a small model misses its vehicle.
    pub fn detector() -> Self {
        Self { high_score: 0.3, new_score: 0.4, confirm_hits: 2, lost_s: 1.5, ..Self::vehicle() }
    }

    /// The preset of that name: `vehicle`, `vehicle_stable`, `pedestrian`, `detector` or `motion`.
    ///
    /// # Errors
    /// `InvalidInput` for any other name.
    pub fn preset(name: &str) -> Result<Self> {
        match name {
            "vehicle" => Ok(Self::vehicle()),
            "vehicle_stable" => Ok(Self::vehicle_stable()),
            "pedestrian" => Ok(Self::pedestrian()),
            "detector" => Ok(Self::detector()),
            "motion" => Ok(Self::motion()),
            _ => Err(Error::invalid(format!(
                "tracker preset: found \"{name}\", expected vehicle, vehicle_stable, pedestrian, detector or motion"
            ))),
        }
    }

    /// Set one parameter by its name; a number other than 0 means yes.
    ///
    /// # Errors
    /// `InvalidInput` when there is no parameter of that name.
    pub fn set(&mut self, name: &str, value: f64) -> Result<()> {
        let number = value as f32;
        match name {
            "low_score" => self.low_score = number,
            "high_score" => self.high_score = number,
            "new_score" => self.new_score = number,
            "buffer_high" => self.buffer_high = number,
            "buffer_low" => self.buffer_low = number,
            "gate_high" => self.gate_high = number,
            "gate_low" => self.gate_low = number,
            "gate_new" => self.gate_new = number,
            "height_weighted" => self.height_weighted = value != 0.0,
            "score_weighted" => self.score_weighted = value != 0.0,
            "duplicate_iou" => self.duplicate_iou = number,
            "confirm_hits" => self.confirm_hits = value.clamp(0.0, 1e6) as u32,
            "lost_s" => self.lost_s = number,
            "nominal_step_s" => self.nominal_step_s = number,
            "process_noise" => self.process_noise = number,
            "doubt_ratio" => self.doubt_ratio = number,
            "doubt_moved" => self.doubt_moved = number,
            "doubt_far" => self.doubt_far = number,
            "doubt_gap_s" => self.doubt_gap_s = number,
            "doubt_cover" => self.doubt_cover = number,
            _ => return Err(Error::invalid(format!("tracker parameter: found unknown name \"{name}\""))),
        }
        Ok(())
    }

    /// Whether a continuation is in doubt whose best rival is this share as
    /// good (above 0), and which lies `surprise` from where it was expected.
    pub(super) fn is_contested(&self, rival: f32, surprise: f32) -> bool {
        rival >= self.doubt_ratio && surprise >= self.doubt_moved || surprise >= self.doubt_far
    }

    /// Refuse values outside their ranges.
    ///
    /// # Errors
    /// `InvalidInput` naming the first parameter that is out of range.
    pub fn validate(&self) -> Result<()> {
        let share = |name: &str, v: f32| in_range(name, v, 0.0, 1.0);
        share("low_score", self.low_score)?;
        in_range("high_score", self.high_score, self.low_score, 1.0)?;
        in_range("new_score", self.new_score, self.high_score, 1.0)?;
        in_range("buffer_high", self.buffer_high, 0.0, 2.0)?;
        in_range("buffer_low", self.buffer_low, 0.0, 2.0)?;
        share("gate_high", self.gate_high)?;
        share("gate_low", self.gate_low)?;
        share("gate_new", self.gate_new)?;
        share("duplicate_iou", self.duplicate_iou)?;
        in_range("confirm_hits", self.confirm_hits as f32, 1.0, 1000.0)?;
        in_range("lost_s", self.lost_s, 0.0, 3600.0)?;
        in_range("nominal_step_s", self.nominal_step_s, 1e-4, 60.0)?;
        in_range("process_noise", self.process_noise, 0.01, 100.0)?;
        share("doubt_ratio", self.doubt_ratio)?;
        in_range("doubt_moved", self.doubt_moved, 0.0, FARTHEST)?;
        in_range("doubt_far", self.doubt_far, 0.0, FARTHEST)?;
        in_range("doubt_gap_s", self.doubt_gap_s, 0.0, 3600.0)?;
        share("doubt_cover", self.doubt_cover)
    }
}

fn in_range(name: &str, value: f32, low: f32, high: f32) -> Result<()> {
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(Error::invalid(format!("tracker parameter {name}: found {value}, expected {low} to {high}")))
    }
}

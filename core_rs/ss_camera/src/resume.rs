//! From a token back to the very step it was taken after.

use serde::{Deserialize, Serialize};
use ss_ingest::VideoPosition;
use ss_model::{Error, EventTime, Result};

use crate::chain::{Chain, Step};
use crate::config::CameraConfig;
use crate::counts::Counts;
use crate::hub::Detect;
use crate::state::StateFolder;

const VERSION: u32 = 3;

/// Where a camera stands after a step; small, so that every epoch can hold one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Token {
    version: u32,
    fingerprint: u64,
    /// Where the video stands.
    pub video: VideoPosition,
    /// What had been counted.
    pub counts: Counts,
    /// Name of the newest side file at that time.
    pub state: Option<String>,
    /// Everything had been handed out.
    pub ended: bool,
}

impl Token {
    /// Of the configuration it belongs to.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Before the first frame.
    pub fn at_start(config: &CameraConfig, fingerprint: u64) -> Self {
        let video = VideoPosition::at_start(EventTime(config.start_time_ns));
        Self { version: VERSION, fingerprint, video, counts: Counts::default(), state: None, ended: false }
    }

    /// The token after `step`.
    pub fn after(step: &Step, fingerprint: u64, state: Option<String>) -> Self {
        let (video, counts) = (step.video.clone(), step.counts.clone());
        Self { version: VERSION, fingerprint, video, counts, state, ended: step.ended }
    }

    /// Read the JSON form.
    ///
    /// # Errors
    /// `DataLoss` when it is none, `InvalidInput` when it is of another
    /// version or of another configuration.
    pub fn from_json(bytes: &[u8], camera: &str, fingerprint: u64) -> Result<Self> {
        /// What every version has.
        #[derive(Deserialize)]
        struct Head {
            version: u32,
            fingerprint: u64,
        }
        let broken = |e: serde_json::Error| Error::data_loss(format!("camera {camera}: resume token: {e}"));
        let head: Head = serde_json::from_slice(bytes).map_err(broken)?;
        if head.version != VERSION {
            return Err(Error::invalid(format!(
                "camera {camera}: resume token of version {}, expected {VERSION}",
                head.version
            )));
        }
        if head.fingerprint != fingerprint {
            return Err(Error::invalid(format!(
                "camera {camera}: its files or settings are not those of the run to be resumed; \
                 expected them unchanged"
            )));
        }
        serde_json::from_slice(bytes).map_err(broken)
    }

    /// The JSON form.
    ///
    /// # Errors
    /// `Internal` when it cannot be written; it always can.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Error::internal(format!("resume token: {e}")))
    }
}

/// How a run was taken up again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumption {
    /// Frames decoded again to get there.
    pub redecoded: u64,
    /// Frames of them seen again by detector and tracker.
    pub seen_again: u64,
    /// The state began at this frame; 0: no state could be used.
    pub from_frame: u64,
    /// What was wrong with newer states.
    pub wrong: Vec<String>,
}

/// A chain that stands where `token` was taken: from the newest state at or
/// before it, then silently forward. `turn` works on a few frames; when it
/// gives `None` for the outer option the run is to stop, and so does this.
///
/// # Errors
/// `DataLoss` when the files do not lead there any more.
pub fn reopen(
    config: &CameraConfig,
    token: &Token,
    folder: Option<&StateFolder>,
    eye: Option<Box<dyn Detect>>,
    mut turn: impl FnMut(&mut Chain) -> Option<Result<Option<Step>>>,
) -> Result<Option<(Chain, Resumption)>> {
    let (saved, wrong) =
        folder.map_or((None, Vec::new()), |folder| folder.load(token.fingerprint, &token.video));
    let mut found = Resumption { redecoded: 0, seen_again: 0, from_frame: 0, wrong };
    let mut chain = match saved {
        Some(saved) => {
            found.from_frame = saved.video.total;
            let reopened = {
                let (vision, sight) = (saved.vision.as_ref(), saved.sight);
                Chain::reopen(config.clone(), eye, &saved.video, vision, sight, saved.counts)?
            };
            found.redecoded = reopened.1;
            reopened.0
        }
        None => Chain::open(config.clone(), eye)?,
    };
    let lost = || {
        Error::data_loss(format!(
            "camera {}: its files no longer lead to frame {} where the run stopped",
            config.camera, token.video.total
        ))
    };
    let mut at = chain.position();
    while at.progress() < token.video.progress() {
        let Some(worked) = turn(&mut chain) else { return Ok(None) };
        if let Some(step) = worked? {
            at = step.video;
            if step.ended {
                break;
            }
        }
    }
    if at.progress() != token.video.progress() || at.total != token.video.total {
        return Err(lost());
    }
    let again = token.video.total - found.from_frame;
    found.redecoded += again;
    found.seen_again = again;
    Ok(Some((chain, found)))
}

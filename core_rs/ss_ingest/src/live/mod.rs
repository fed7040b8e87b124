//! Live cameras: RTSP over TCP, UDP and TLS, MJPEG over HTTP, and files played
//! at a pace as if they were one.
//!
//! A [`Receiver`](receiver) on a thread of its own connects, reads, tells the
//! time of each packet, keeps it in the [ring](crate::Ring), and connects again
//! when the camera is gone. A [`Queue`](queue) holds what waits to be decoded,
//! and sheds by a named policy when that falls behind. [`LiveRun`] decodes on
//! the camera's thread. So a camera that hangs holds up nobody but itself.

use serde::{Deserialize, Serialize};
use ss_model::{Error, Result};

mod address;
mod clock;
mod link;
mod queue;
mod receiver;
mod run;
mod tls;

pub use address::{Address, Login, Secret, Transport};
pub use clock::{LiveClock, Placed as LivePlaced, Stamp};
pub use queue::Shed;
pub use run::LiveRun;

/// How a live camera is reached and treated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveConfig {
    /// `rtsp://`, `rtsps://`, `http://` (MJPEG), or `file:` (played at `pace`); without a login.
    pub url: String,
    /// How RTP travels.
    #[serde(default)]
    pub transport: Transport,
    /// Name at the camera.
    #[serde(default, skip_serializing)]
    pub user: Option<Secret>,
    /// Password at the camera.
    #[serde(default, skip_serializing)]
    pub password: Option<Secret>,
    /// SHA-256 of the camera's certificate, where nobody has signed it.
    #[serde(default)]
    pub tls_fingerprint: Option<String>,
    /// What is left out when decoding falls behind.
    #[serde(default)]
    pub shed: Shed,
    /// `every_nth`: one picture of so many is looked at while behind.
    #[serde(default = "three")]
    pub shed_nth: u64,
    /// How far decoding may fall behind before something is left out, in seconds.
    #[serde(default = "two")]
    pub behind_s: f64,
    /// Patience with a camera that is to answer, in seconds.
    #[serde(default = "ten")]
    pub connect_timeout_s: f64,
    /// Patience with a camera that has gone silent, in seconds.
    #[serde(default = "five")]
    pub read_timeout_s: f64,
    /// So long a silent camera holds up its junction, in seconds.
    #[serde(default = "two")]
    pub idle_s: f64,
    /// How far the camera's clock may be from ours to be used, in seconds.
    #[serde(default = "two")]
    pub clock_tolerance_s: f64,
    /// How far back the packet ring reaches, in seconds.
    #[serde(default = "sixty")]
    pub ring_s: f64,
    /// Most mebibytes of it.
    #[serde(default = "sixty_four")]
    pub ring_mb: usize,
    /// Files: event seconds per second.
    #[serde(default = "one")]
    pub pace: f64,
}

fn one() -> f64 {
    1.0
}

fn two() -> f64 {
    2.0
}

fn three() -> u64 {
    3
}

fn five() -> f64 {
    5.0
}

fn ten() -> f64 {
    10.0
}

fn sixty() -> f64 {
    60.0
}

fn sixty_four() -> usize {
    64
}

impl LiveConfig {
    /// See that the values make sense.
    ///
    /// # Errors
    /// `InvalidInput` that names the field, what was found and what was expected.
    pub fn validate(&self) -> Result<()> {
        Address::parse(&self.url)?;
        if let Some(text) = &self.tls_fingerprint {
            tls::fingerprint(text)?;
        }
        let seconds = [
            ("behind_s", self.behind_s),
            ("connect_timeout_s", self.connect_timeout_s),
            ("read_timeout_s", self.read_timeout_s),
            ("idle_s", self.idle_s),
            ("clock_tolerance_s", self.clock_tolerance_s),
            ("ring_s", self.ring_s),
            ("pace", self.pace),
        ];
        for (name, found) in seconds {
            if !(found > 0.0 && found <= 3600.0) {
                return Err(Error::invalid(format!(
                    "{name}: found {found}, expected more than 0, at most 3600"
                )));
            }
        }
        if self.shed_nth < 2 {
            return Err(Error::invalid(format!("shed_nth: found {}, expected 2 or more", self.shed_nth)));
        }
        Ok(())
    }

    fn login(&self) -> Login {
        Login { user: self.user.clone(), password: self.password.clone() }
    }
}

/// A live camera's condition changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// `lost` or `clock`.
    pub what: &'static str,
    /// It began; else it is over.
    pub opened: bool,
    /// Since when, in event time.
    pub at: ss_model::EventTime,
    /// What was found.
    pub detail: String,
}

//! One connection to a camera, or one file played at a pace.

use std::ffi::CStr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ss_model::EventTime;

use super::LiveConfig;
use super::address::{Address, Transport};
use super::clock::Stamp;
use super::tls::Tunnel;
use crate::av::{Complaints, Demuxer, Packet, Patience, Read, Refusal, StreamFormat};
use crate::timeline::TimeMap;

const SECOND: i64 = 1_000_000_000;
/// Ticks after which RTP timestamps begin again.
const LAP: i64 = 1 << 32;

/// Our clock, in nanoseconds UTC. When a live camera's packet came is an
/// input like the packet itself; nothing else reads a clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the arrival of a live packet is an input, and taken here only"
)]
pub fn arrival_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Why there is no connection, or no longer one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Down {
    /// Stable word: `login`, `connect`, `silent`, `closed`, `broken`.
    pub why: &'static str,
    /// What was found, without any login.
    pub detail: String,
}

/// When a packet's picture was taken, or what is known to find out.
pub enum When {
    /// To be placed by the clocks.
    Stamped(Stamp),
    /// Known: of a file.
    Exact(i64),
}

/// An open source of packets.
pub struct Link {
    demuxer: Demuxer,
    // After the demuxer, which says goodbye through it.
    _tunnel: Option<Tunnel>,
    pub format: Arc<StreamFormat>,
    pub interval_ns: i64,
    time_base: (i64, i64),
    patience: Arc<Patience>,
    read_timeout: Duration,
    /// The camera's clock less the stream's, by the packet before.
    report: Option<i64>,
    kind: Kind,
}

enum Kind {
    Timed,
    /// Timestamps of MJPEG over HTTP are made up by libav.
    Untimed,
    File {
        start: EventTime,
        pace: f64,
        /// Its first timestamp.
        first: Option<i64>,
        /// When what was taken at which event time was read; packets up to `after` are not waited for.
        begun: Option<(i64, Instant)>,
        after: Option<i64>,
    },
}

impl Link {
    /// Connect as `config` says; a file's first picture is taken at `start`,
    /// and those up to `after` are not waited for.
    pub fn open(
        config: &LiveConfig,
        start: EventTime,
        after: Option<i64>,
        patience: &Arc<Patience>,
    ) -> Result<Self, Down> {
        let login = config.login();
        let down = |why, detail: &str| Down { why, detail: login.scrub(detail) };
        let address = Address::parse(&config.url).map_err(|e| down("connect", &e.message))?;
        let timeout = Duration::from_secs_f64(config.connect_timeout_s);
        patience.at_most(timeout);
        let (demuxer, tunnel, kind) = if address.scheme == "file" {
            let demuxer = Demuxer::open(Path::new(&address.rest)).map_err(|e| down("connect", &e.message))?;
            (demuxer, None, Kind::File { start, pace: config.pace, first: None, begun: None, after })
        } else {
            let mut place = address.clone();
            let mut tunnel = None;
            if address.scheme == "rtsps" {
                let open = Tunnel::open(&address, config.tls_fingerprint.as_deref(), timeout)
                    .map_err(|e| down("connect", &e.message))?;
                place = Address {
                    scheme: "rtsp".into(),
                    host: "127.0.0.1".into(),
                    port: Some(open.port),
                    rest: address.rest.clone(),
                };
                tunnel = Some(open);
            }
            let http = address.scheme == "http";
            let options = options(config, &address.scheme);
            let demuxer =
                Demuxer::connect(&place.with_login(&login), &options, patience).map_err(|refusal| {
                    match refusal {
                        _ if patience.stopped() => down("closed", "stopped"),
                        Refusal::Login if login.user.is_none() => {
                            down("login", "the camera wants a login; none is given in the environment")
                        }
                        Refusal::Login => {
                            down("login", "the camera refuses the login given in the environment")
                        }
                        Refusal::Other(_) if patience.is_over() => {
                            down("silent", &format!("no answer within {} s", config.connect_timeout_s))
                        }
                        Refusal::Other(what) => down("connect", &what),
                    }
                })?;
            (demuxer, tunnel, if http { Kind::Untimed } else { Kind::Timed })
        };
        let info = demuxer.info();
        let format = Arc::new(demuxer.format().map_err(|e| down("broken", &e.message))?);
        let (num, den) =
            info.frame_rate.filter(|&(num, den)| num >= den && num <= 240 * den).unwrap_or((25, 1));
        Ok(Self {
            demuxer,
            _tunnel: tunnel,
            format,
            interval_ns: SECOND * den / num,
            time_base: info.time_base,
            patience: Arc::clone(patience),
            read_timeout: Duration::from_secs_f64(config.read_timeout_s),
            report: None,
            kind,
        })
    }

    /// Its packets have timestamps of their own.
    pub fn is_timed(&self) -> bool {
        matches!(self.kind, Kind::Timed)
    }

    /// Wait for the next packet; when its picture was taken, and how many
    /// before it went missing on the way. `None` at the end of a file.
    pub fn read(&mut self, packet: &mut Packet) -> Result<Option<(When, u64)>, Down> {
        self.patience.at_most(self.read_timeout);
        let missed = Complaints::missed();
        match self.demuxer.read(packet) {
            Read::Packet => {}
            Read::End if matches!(self.kind, Kind::File { .. }) => return Ok(None),
            Read::End => {
                return Err(Down { why: "closed", detail: "the camera closed the connection".into() });
            }
            Read::Failed(_) if self.patience.is_over() => {
                let detail = format!("nothing came for {} s", self.read_timeout.as_secs_f64());
                return Err(Down { why: "silent", detail });
            }
            Read::Failed(what) => return Err(Down { why: "broken", detail: what }),
        }
        let missed = Complaints::missed() - missed;
        Ok(Some((self.when(packet), missed)))
    }

    fn when(&mut self, packet: &Packet) -> When {
        let pts = packet.pts().or(packet.dts());
        let time_base = self.time_base;
        match &mut self.kind {
            Kind::File { start, pace, first, begun, after } => {
                let pts = pts.unwrap_or(0);
                let from = *first.get_or_insert(pts);
                let time = TimeMap { pts: from, time: *start, time_base }.time_of(pts).0;
                if after.is_none_or(|after| time > after) {
                    let (origin, begun) = *begun.get_or_insert_with(|| (time, Instant::now()));
                    let due = Duration::from_secs_f64((time - origin).max(0) as f64 * 1e-9 / *pace);
                    while let Some(left) = due.checked_sub(begun.elapsed()).filter(|d| !d.is_zero()) {
                        if self.patience.stopped() {
                            break;
                        }
                        std::thread::sleep(left.min(Duration::from_millis(50)));
                    }
                }
                When::Exact(time)
            }
            kind => {
                let map = TimeMap { pts: 0, time: EventTime(0), time_base };
                let pts_ns = pts.filter(|_| matches!(kind, Kind::Timed)).map(|pts| map.time_of(pts).0);
                let told = packet.wallclock_ns();
                let camera_ns = match (told, pts_ns) {
                    (Some(told), Some(pts)) => Some(in_lap(told, pts, map.time_of(LAP).0, &mut self.report)),
                    _ => told,
                };
                When::Stamped(Stamp { pts_ns, arrival_ns: arrival_ns(), camera_ns })
            }
        }
    }
}

/// What the camera's clock says, `told` by a libav that forgets the lap: an
/// RTP timestamp begins again after 2³² ticks, thirteen hours, and until the
/// next sender report the difference to the latest is off by as much.
fn in_lap(told: i64, pts: i64, lap: i64, report: &mut Option<i64>) -> i64 {
    let offset = told.saturating_sub(pts);
    let near = |turn: &i64| {
        report.is_none_or(|r| (i128::from(offset) + i128::from(*turn) - i128::from(r)).abs() < SECOND.into())
    };
    let turn = [0, lap, -lap].into_iter().find(near).unwrap_or(0);
    *report = Some(offset.saturating_add(turn));
    told.saturating_add(turn)
}

/// What libav is told.
fn options(config: &LiveConfig, scheme: &str) -> Vec<(&'static CStr, String)> {
    let mut options = vec![
        // Enough to know the codec, no more: every second of looking is a second of delay.
        (c"analyzeduration", "3000000".to_owned()),
        (c"fpsprobesize", "0".to_owned()),
        // A camera has a picture, sound and events, in a few sizes; each stream costs memory and a request.
        (c"max_streams", "32".to_owned()),
    ];
    if scheme == "http" {
        options.push((c"protocol_whitelist", "http,tcp".into()));
        options.push((c"user_agent", "smartstream".into()));
    } else {
        let transport = if scheme == "rtsps" { Transport::Tcp } else { config.transport };
        let name = if transport == Transport::Udp { "udp" } else { "tcp" };
        options.push((c"protocol_whitelist", "rtsp,rtp,tcp,udp".into()));
        options.push((c"rtsp_transport", name.into()));
        options.push((c"allowed_media_types", "video".into()));
        // A key frame of a 4K camera comes as a burst of hundreds of datagrams.
        options.push((c"buffer_size", (4 << 20).to_string()));
        options.push((c"max_delay", "300000".into()));
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lap_of_the_timestamps_is_no_step_of_the_cameras_clock() {
        let (lap, mut report) = (47_721_858_844_444, None);
        let mut at = |told, pts| in_lap(told, pts, lap, &mut report);
        assert_eq!(at(1000 * SECOND, 5 * SECOND), 1000 * SECOND);
        assert_eq!(at(1001 * SECOND - lap, 6 * SECOND), 1001 * SECOND, "until the next report");
        assert_eq!(at(1002 * SECOND, 7 * SECOND), 1002 * SECOND, "the next report knows");
        assert_eq!(at(1603 * SECOND, 8 * SECOND), 1603 * SECOND, "a clock that was set is believed");
        assert_eq!(at(i64::MAX, i64::MIN), i64::MAX);
    }
}

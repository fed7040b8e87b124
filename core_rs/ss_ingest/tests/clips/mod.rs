//! Clips for the tests: made with the ffmpeg command, or from the shared data.

#![allow(dead_code, reason = "each test file uses its part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ss_ingest::{Next, VideoRun, Wants};
use ss_model::EventTime;
use xxhash_rust::xxh3::xxh3_64;

pub const START: EventTime = EventTime(1_790_000_000_000_000_000);

/// A folder of this test's own.
pub fn folder(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// Encode `seconds` of a moving test picture; `None`, with a word, where ffmpeg cannot.
pub fn encode(path: &Path, size: &str, seconds: u32, options: &[&str]) -> Option<PathBuf> {
    let source = format!("testsrc2=size={size}:rate=25:duration={seconds}");
    let noise = "noise=alls=8:allf=t:all_seed=7,format=yuv420p";
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i", &source, "-vf", noise])
        .args(options)
        .arg(path)
        .status();
    if made.is_ok_and(|s| s.success()) {
        return Some(path.to_owned());
    }
    eprintln!("skipped: ffmpeg cannot make {}", path.display());
    None
}

pub const H264: &[&str] = &["-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-g", "20"];
pub const H264_B: &[&str] = &["-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "25", "-refs", "3"];
pub const H265: &[&str] = &[
    "-c:v",
    "libx265",
    "-preset",
    "ultrafast",
    "-x265-params",
    "log-level=none:keyint=20:bframes=2",
    "-threads",
    "1",
];
pub const MJPEG: &[&str] = &["-c:v", "mjpeg", "-q:v", "5"];
pub const MPEG4: &[&str] = &["-c:v", "mpeg4", "-q:v", "5", "-g", "12", "-bf", "2"];
pub const MSMPEG4: &[&str] = &["-c:v", "msmpeg4v2", "-q:v", "5", "-g", "12"];

/// One clip of every kind of stream: name, options, file name.
pub const KINDS: [(&str, &[&str], &str); 12] = [
    ("h264 mp4", H264, "a.mp4"),
    ("h264 with B-frames mp4", H264_B, "b.mp4"),
    ("h264 with B-frames mkv", H264_B, "b.mkv"),
    ("h264 with B-frames ts", H264_B, "b.ts"),
    ("h264 avi", H264, "a.avi"),
    ("raw h264", H264, "a.h264"),
    ("raw h264 with B-frames", H264_B, "b.h264"),
    ("h265 mp4", H265, "c.mp4"),
    ("mjpeg avi", MJPEG, "d.avi"),
    ("mpeg4 mp4", MPEG4, "e.mp4"),
    ("mpeg4 avi", MPEG4, "e.avi"),
    ("msmpeg4v2 avi", MSMPEG4, "f.avi"),
];

/// Everything a run gave, comparable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Frame { run: u32, number: u64, time: EventTime, size: (usize, usize), hash: u64, doubtful: bool },
    Lost(&'static str, EventTime, String, u64),
}

/// The next thing of a run.
pub fn see(video: &mut VideoRun) -> Option<Seen> {
    let run = video.run();
    let mut seen = match video.next() {
        Next::End | Next::Gap { .. } | Next::Health(_) | Next::Idle { .. } | Next::Wait => return None,
        Next::Lost(loss) => return Some(Seen::Lost(loss.reason.name(), loss.at, loss.detail, loss.count)),
        Next::Frame { frame, doubtful, .. } => {
            let rows: Vec<u8> = (0..frame.height)
                .flat_map(|y| frame.data[y * frame.stride..y * frame.stride + frame.width].iter().copied())
                .collect();
            let size = (frame.width, frame.height);
            Seen::Frame { run, number: frame.number, time: frame.time, size, hash: xxh3_64(&rows), doubtful }
        }
    };
    if let Seen::Frame { run, .. } = &mut seen {
        *run = video.run();
    }
    Some(seen)
}

/// Everything from here to the end.
pub fn see_all(video: &mut VideoRun) -> Vec<Seen> {
    std::iter::from_fn(|| see(video)).collect()
}

/// Open and see everything.
pub fn read(files: &[PathBuf]) -> Vec<Seen> {
    see_all(&mut VideoRun::open(files.to_vec(), START, Wants::default()).unwrap())
}

/// Frames only.
pub fn frames(seen: &[Seen]) -> usize {
    seen.iter().filter(|s| matches!(s, Seen::Frame { .. })).count()
}

/// The shared data, where it is.
pub fn shared(path: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    if !found.exists() {
        eprintln!("skipped: ../shared/{path} is not there");
        return None;
    }
    Some(found)
}

/// A repeatable stream of numbers.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

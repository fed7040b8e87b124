//! What the motion detector costs, in microseconds a picture: least of the rounds per picture, then the mean.
//!
//! ```sh
//! ffmpeg -v error -ss 20 -i clip.mp4 -frames:v 450 -vf extractplanes=y -f rawvideo - |
//!     ROUNDS=5 cargo run --release -p ss_vision --example motion_time -- 1280 720 20 [x,y,X,Y …]
//! ```
//! All pictures are held in memory. The first two thirds only make the detector's state, from which every round
//! plays the rest. Before each picture the caches are filled with something else, and the picture
//! is written where the one before was, as a decoder does.

use std::hint::black_box;
use std::io::Read;
use std::time::{Duration, Instant};

use ss_model::{EventTime, LumaFrame, Track};
use ss_vision::motion::{MotionConfig, MotionDetector};
use ss_vision::tracker::{Tracker, TrackerParams};

mod raw;

/// What lies in a core's own caches, several times over.
const FOREIGN: usize = 3 << 20;

/// Detector and tracker, each fed by the other.
struct Chain {
    detector: MotionDetector,
    tracker: Tracker,
    tracks: Vec<Track>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let raw = raw::Raw::from_args()?;
    let mut pictures = Vec::new();
    std::io::stdin().lock().read_to_end(&mut pictures)?;
    let pictures: Vec<_> = pictures.chunks_exact(raw.width * raw.height).collect();
    let rounds = std::env::var("ROUNDS").map_or(Ok(5), |n| n.parse())?;
    let detector = MotionDetector::new(MotionConfig::default(), raw.width, raw.height, raw.calibration);
    let mut first = Chain { detector, tracker: Tracker::new(TrackerParams::motion())?, tracks: Vec::new() };
    let (mut found, foreign) = (Vec::new(), vec![1u8; FOREIGN]);
    let mut shown = vec![0; raw.width * raw.height];
    let mut see = |chain: &mut Chain, n: usize| {
        black_box(foreign.iter().step_by(64).map(|&b| u64::from(b)).sum::<u64>());
        shown.copy_from_slice(pictures[n]);
        let time = EventTime(0).plus_seconds(n as f64 / raw.fps);
        let (stride, width, height) = (raw.width, raw.width, raw.height);
        let frame = LumaFrame { data: &shown, stride, width, height, time, number: n as u64, reduced: None };
        let begun = Instant::now();
        chain.detector.detect(&frame, &chain.tracks, &mut found);
        let took = begun.elapsed();
        chain.tracks.clear();
        chain.tracks.extend_from_slice(chain.tracker.update(time, &found));
        took
    };
    let timed = 2 * pictures.len() / 3..pictures.len();
    for n in 0..timed.start {
        see(&mut first, n);
    }
    let (detector, tracker, tracks) =
        (first.detector.snapshot(), first.tracker.snapshot(), first.tracks.clone());
    let mut least = vec![Duration::MAX; timed.len()];
    for _ in 0..rounds {
        first.detector.restore(&detector)?;
        first.tracker.restore(&tracker)?;
        first.tracks.clone_from(&tracks);
        for (least, n) in least.iter_mut().zip(timed.clone()) {
            *least = see(&mut first, n).min(*least);
        }
    }
    let all: Duration = least.iter().sum();
    println!("{:.1}", all.as_secs_f64() * 1e6 / least.len() as f64);
    Ok(())
}

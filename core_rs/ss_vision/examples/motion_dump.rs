//! Detections and tracks of a raw gray video on standard input, one line each:
//! `D|T frame track x1 y1 x2 y2 score class flags`, boxes normalised.
//!
//! ```sh
//! ffmpeg -v error -i clip.mp4 -vf extractplanes=y -f rawvideo - |
//!     cargo run --release -p ss_vision --example motion_dump -- 1280 720 25 [x,y,X,Y …]
//! ```
//! With `MASKS=FILE` the foreground and the street of every frame are written there, too.
//! Each `x,y,X,Y` is a calibration pair: normalised picture point and metres.

use std::io::{Read, Write};

use ss_model::{BoxF, EventTime, LumaFrame, VehicleClass};
use ss_vision::motion::{MotionConfig, MotionDetector};
use ss_vision::tracker::{Tracker, TrackerParams};

use raw::Raw;

mod raw;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Raw { width, height, fps, calibration } = Raw::from_args()?;
    let mut detector = MotionDetector::new(MotionConfig::default(), width, height, calibration);
    let (mut input, mut output) =
        (std::io::stdin().lock(), std::io::BufWriter::new(std::io::stdout().lock()));
    let mut tracker = Tracker::new(TrackerParams::motion()).map_err(|e| e.to_string())?;
    let (mut data, mut found, mut tracks) = (vec![0; width * height], Vec::new(), Vec::new());
    let mut masks = std::env::var_os("MASKS").map(std::fs::File::create).transpose()?;
    let mut n = 0;
    while input.read_exact(&mut data).is_ok() {
        let time = EventTime(0).plus_seconds(n as f64 / fps);
        let frame = LumaFrame { data: &data, stride: width, width, height, time, number: n, reduced: None };
        detector.detect(&frame, &tracks, &mut found);
        if let Some(file) = &mut masks {
            file.write_all(&detector.foreground())?;
            file.write_all(detector.street().unwrap_or_default())?;
        }
        for d in &found {
            line(&mut output, 'D', n, 0, d.bbox, (d.score, d.class, d.flags))?;
        }
        tracks.clear();
        tracks.extend_from_slice(tracker.update(time, &found));
        for t in &tracks {
            line(&mut output, 'T', n, t.id, t.bbox, (t.score, t.class, t.flags))?;
        }
        n += 1;
    }
    Ok(())
}

fn line(
    out: &mut impl Write,
    kind: char,
    frame: u64,
    track: u32,
    b: BoxF,
    (score, class, flags): (f32, VehicleClass, u8),
) -> std::io::Result<()> {
    let class = class.name();
    writeln!(out, "{kind} {frame} {track} {} {} {} {} {score} {class} {flags}", b.x1, b.y1, b.x2, b.y2)
}

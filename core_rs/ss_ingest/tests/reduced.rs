//! Pictures reduced while they are decoded are those that anybody else would make of the decoded picture.

#![allow(clippy::unwrap_used, reason = "tests")]

mod clips;

use std::path::{Path, PathBuf};

use clips::{Dice, H264, H264_B, KINDS, START, encode, folder, shared};
use ss_ingest::{Next, VideoRun, Wants};
use ss_model::Reducer;

const SLICES: &[&str] =
    &["-c:v", "libx264", "-preset", "veryfast", "-g", "25", "-x264-params", "slices=3:bframes=2"];
const UNFILTERED: &[&str] = &["-c:v", "libx264", "-g", "25", "-x264-params", "no-deblock=1"];
const INTERLACED: &[&str] =
    &["-c:v", "libx264", "-g", "25", "-flags", "+ilme+ildct", "-x264-params", "tff=1"];
const FULL_COLOUR: &[&str] = &["-c:v", "libx264", "-g", "25", "-pix_fmt", "yuv444p"];
const TEN_BITS: &[&str] = &["-c:v", "libx264", "-g", "25", "-pix_fmt", "yuv420p10le"];
const REFRESHED: &[&str] = &["-c:v", "libx264", "-g", "25", "-x264-params", "intra-refresh=1"];

/// Frames given out and those of them that came reduced; each of these is checked.
fn check(path: &Path, columns: usize) -> (usize, usize) {
    let Ok(mut video) =
        VideoRun::open(vec![path.to_owned()], START, Wants { colour: false, columns: Some(columns) })
    else {
        return (0, 0);
    };
    let mut count = (0, 0);
    loop {
        match video.next() {
            Next::Frame { frame, .. } => {
                count.0 += 1;
                let Some(made) = frame.reduced else { continue };
                let reducer = Reducer::new(frame.width, frame.height, columns);
                let mut own = vec![0; reducer.width * reducer.height];
                reducer.rows(frame.data, frame.stride, &mut own);
                assert_eq!(made.factor, reducer.factor);
                assert!(made.data == own, "{} at {columns}: frame {}", path.display(), frame.number);
                count.1 += 1;
            }
            Next::Lost(_) => {}
            _ => return count,
        }
    }
}

#[test]
fn reduced_pictures_are_those_of_the_decoded_picture() {
    let dir = folder("reduced");
    let plain = [
        ("a.mp4", H264, "640x360"),
        ("b.mp4", H264_B, "640x360"),
        ("b.ts", H264_B, "322x246"),
        ("cropped.mp4", H264_B, "1920x1080"),
        ("slices.mp4", SLICES, "640x360"),
        ("unfiltered.mp4", UNFILTERED, "640x362"),
        ("444.mp4", FULL_COLOUR, "640x360"),
        ("refreshed.mp4", REFRESHED, "640x360"),
    ];
    for (name, options, size) in plain {
        let Some(path) = encode(&dir.join(name), size, 2, options) else { continue };
        for columns in [1, 70, 213, 320, 640] {
            let (frames, reduced) = check(&path, columns);
            assert!(frames > 0 && reduced == frames, "{name} at {columns}: {reduced} of {frames}");
        }
    }
    for (name, options, size) in [("fields.mp4", INTERLACED, "640x360"), ("ten.mp4", TEN_BITS, "640x360")] {
        if let Some(path) = encode(&dir.join(name), size, 2, options) {
            assert!(check(&path, 213).0 > 0);
        }
    }
    for (_, options, name) in KINDS {
        if let Some(path) = encode(&dir.join(format!("kind-{name}")), "320x240", 2, options) {
            assert!(check(&path, 100).0 > 0);
        }
    }
}

#[test]
fn of_damaged_streams_too() {
    let dir = folder("reduced_damaged");
    let mut originals: Vec<PathBuf> = Vec::new();
    originals.extend(shared("data/video/us_side_street.mp4"));
    originals.extend(shared("data/video/radeberg_cars_cyclist.h264"));
    for (name, options) in [("b.ts", H264_B), ("s.ts", SLICES), ("i.ts", INTERLACED), ("r.ts", REFRESHED)] {
        originals.extend(encode(&dir.join(name), "320x240", 3, options));
    }
    let mut dice = Dice(1964);
    let mut seen = (0, 0);
    for original in originals {
        let whole = std::fs::read(&original).unwrap();
        for round in 0..8 {
            let mut bytes = whole.clone();
            for _ in 0..4 << round {
                let length = bytes.len() as u64;
                bytes[dice.below(length) as usize] ^= 1 << dice.below(8);
            }
            if round % 3 == 0 {
                // A piece that never arrived: numbers of pictures jump.
                let from = dice.below(bytes.len() as u64 / 2) as usize;
                bytes.drain(from..from + bytes.len() / 10);
            }
            let path = dir.join(format!("{round}-{}", original.file_name().unwrap().to_string_lossy()));
            std::fs::write(&path, bytes).unwrap();
            let (frames, reduced) = check(&path, 100);
            seen = (seen.0 + frames, seen.1 + reduced);
            std::fs::remove_file(path).unwrap();
        }
    }
    assert!(2 * seen.1 >= seen.0, "{} of {} frames reduced", seen.1, seen.0);
}

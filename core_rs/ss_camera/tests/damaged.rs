//! Truncated and bit-flipped clips: no hang, no panic, and the counts add up.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../ss_ingest/tests/clips/mod.rs"]
mod clips;
mod follow;

use clips::{Dice, H264_B, H265, MJPEG, encode, folder, shared};
use follow::{config, follow, frames};
use ss_camera::{CameraRun, Item};
use ss_model::ErrorKind;

/// Losses that are frames; the others are packets or files.
const OF_FRAMES: [&str; 5] =
    ["corrupt_frame", "duplicate_time", "backward_time", "time_ahead", "pixel_format"];

#[test]
fn damaged_clips_neither_hang_nor_panic_and_their_counts_add_up() {
    let dir = folder("camera_damaged");
    let mut originals = Vec::new();
    for name in ["us_side_street.mp4", "bgslib_overhead.avi", "radeberg_cars_cyclist.h264"] {
        originals.extend(shared(&format!("data/video/{name}")));
    }
    for (name, options) in [("a.ts", H264_B), ("b.mp4", H265), ("c.mkv", MJPEG)] {
        originals.extend(encode(&dir.join(name), "320x240", 3, options));
    }
    let mut dice = Dice(2026);
    for original in originals {
        let whole = std::fs::read(&original).unwrap();
        for round in 0..6u32 {
            let mut bytes = whole.clone();
            let length = bytes.len() as u64;
            if round % 2 == 0 {
                bytes.truncate((length / 4 + dice.below(3 * length / 4)) as usize);
            } else {
                for _ in 0..1 << (2 * round) {
                    bytes[dice.below(length) as usize] ^= 1 << dice.below(8);
                }
            }
            let path = dir.join(format!("{round}-{}", original.file_name().unwrap().to_string_lossy()));
            std::fs::write(&path, bytes).unwrap();
            run(&path);
            std::fs::remove_file(path).unwrap();
        }
    }
}

fn run(path: &std::path::Path) {
    let mut run = match CameraRun::start(config(&[path.to_owned()]), None, None, None) {
        Ok(run) => run,
        Err(error) => {
            eprintln!("{error}");
            assert_eq!(error.kind, ErrorKind::InvalidInput, "{error}");
            return;
        }
    };
    let items = follow(&mut run, |_| false).0;
    let counts = run.counts();
    let dead = |i: &Item| if let Item::Dead(loss) = i { loss.count } else { 0 };
    let lost = |reason: &str| counts.get(&format!("lost_{reason}")).copied().unwrap_or(0);
    eprintln!("{}: {counts:?}", path.display());
    assert_eq!(counts["frames_seen"], frames(&items) as u64);
    assert_eq!(
        counts["frames_decoded"],
        counts["frames_seen"] + OF_FRAMES.iter().map(|r| lost(r)).sum::<u64>()
    );
    let all_lost: u64 = counts.iter().filter(|c| c.0.starts_with("lost_")).map(|c| c.1).sum();
    assert_eq!(all_lost, items.iter().map(dead).sum::<u64>());
    assert_eq!(lost("camera_failed"), 0);
}

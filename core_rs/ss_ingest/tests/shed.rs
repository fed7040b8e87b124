//! What is left of a stream of which much was left out: only the very pictures, or such that are doubtful.

#![allow(clippy::unwrap_used, reason = "tests")]

mod clips;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clips::{H264_B, H265, START, Seen, encode, folder, read};
use ss_ingest::live::{LiveConfig, LiveRun};
use ss_ingest::{Next, Ring, Wants};
use xxhash_rust::xxh3::xxh3_64;

/// Pictures after a key frame that are shown before it refer to the group before.
const OPEN: &[&str] = &["-x264-params", "open-gop=1:scenecut=0:keyint=10:min-keyint=10:b-adapt=0"];

#[test]
fn a_picture_that_refers_to_what_was_left_out_is_doubtful() {
    let dir = folder("shed");
    let kinds =
        [("open.ts", [H264_B, OPEN].concat()), ("closed.mp4", H264_B.to_vec()), ("hevc.mp4", H265.to_vec())];
    for (file, options) in kinds {
        let Some(path) = encode(&dir.join(file), "160x120", 12, &options) else { continue };
        let frame = |s| match s {
            Seen::Frame { time, hash, .. } => Some((time, hash)),
            Seen::Lost(..) => None,
        };
        let whole: BTreeMap<_, _> = read(std::slice::from_ref(&path)).into_iter().filter_map(frame).collect();
        let config: LiveConfig = serde_json::from_value(serde_json::json!({
            "url": format!("file:{}", path.display()), "pace": 50.0, "shed": "latest", "behind_s": 0.5,
        }))
        .unwrap();
        let ring = Arc::new(Ring::in_memory(1.0, 1 << 20));
        let mut live = LiveRun::start(&config, "shed", START, &ring, None, Wants::default()).unwrap();
        let (mut sound, mut shed) = (0, 0);
        loop {
            match live.next() {
                Next::Frame { frame, doubtful: false, .. } => {
                    let rows: Vec<u8> = (0..frame.height)
                        .flat_map(|y| frame.data[y * frame.stride..][..frame.width].iter().copied())
                        .collect();
                    assert_eq!(whole.get(&frame.time), Some(&xxh3_64(&rows)), "{file} at {:?}", frame.time);
                    sound += 1;
                    std::thread::sleep(Duration::from_millis(3));
                }
                Next::Lost(loss) if loss.reason.name() == "shed_latest" => shed += loss.count,
                Next::Wait => live.wait(Duration::from_millis(5)),
                Next::End => break,
                _ => {}
            }
        }
        assert!(sound > 0 && shed > 0, "{file}: {sound} {shed}");
    }
}

//! More cameras than cores: each gives what it gives alone, a broken one harms none.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../ss_ingest/tests/clips/mod.rs"]
mod clips;
mod follow;

use clips::{H264, H264_B, encode, folder};
use follow::{config, follow, whole};
use ss_camera::{CameraRun, Item};

#[test]
fn cameras_do_not_touch_each_other() {
    let dir = folder("many_cameras");
    let (Some(a), Some(b)) =
        (encode(&dir.join("a.mp4"), "320x240", 6, H264), encode(&dir.join("b.mkv"), "176x144", 6, H264_B))
    else {
        return;
    };
    let broken = dir.join("broken.mkv");
    let mut bytes = std::fs::read(&b).unwrap();
    let length = bytes.len();
    for at in (length / 3..length).step_by(211) {
        bytes[at] ^= 0x55;
    }
    std::fs::write(&broken, bytes).unwrap();

    let files = [vec![a.clone()], vec![b.clone()], vec![broken], vec![a], vec![b]];
    let alone: Vec<Vec<Item>> = files.iter().map(|f| whole(f).0).collect();
    let mut runs: Vec<CameraRun> =
        files.iter().map(|f| CameraRun::start(config(f), None, None, None).unwrap()).collect();
    let together: Vec<Vec<Item>> = runs.iter_mut().map(|run| follow(run, |_| false).0).collect();
    for (camera, (together, alone)) in together.iter().zip(&alone).enumerate() {
        assert!(together == alone, "camera {camera} differs from its run alone");
    }
    let lost = together[2].iter().filter(|i| matches!(i, Item::Dead(_))).count();
    assert!(lost > 0, "the broken clip lost nothing");
}

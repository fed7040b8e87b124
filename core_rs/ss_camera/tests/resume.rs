//! A camera stopped anywhere goes on as if it had not been.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../ss_ingest/tests/clips/mod.rs"]
mod clips;
mod follow;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clips::{Dice, H264, H264_B, MPEG4, encode, folder, shared};
use follow::{config, follow, rows, whole};
use ss_camera::{CameraConfig, CameraRun, Item};
use ss_model::ErrorKind;

/// Run with a stop after each of `cuts` items, resuming with the state kept in `state`.
fn interrupted(files: &[PathBuf], state: Option<&Path>, cuts: &[usize]) -> (Vec<Item>, Vec<String>) {
    let (mut items, mut notes) = (Vec::new(), Vec::new());
    let mut token: Option<Vec<u8>> = None;
    for &cut in cuts.iter().chain([&usize::MAX]) {
        let mut run = CameraRun::start(config(files), token.as_deref(), state, None).unwrap();
        let (some, said) = follow(&mut run, |n| n >= cut);
        items.extend(some);
        notes.extend(said);
        token = Some(run.position().unwrap());
        // Work goes on beyond what was polled, and is thrown away like in a kill.
        std::thread::sleep(Duration::from_millis(30));
    }
    (items, notes)
}

#[test]
fn stopped_and_resumed_equals_uninterrupted() {
    let dir = folder("camera_resume");
    let mut clips: Vec<Vec<PathBuf>> = Vec::new();
    for name in ["data/video/us_side_street.mp4", "data/video/bgslib_overhead.avi"] {
        clips.extend(shared(name).map(|p| vec![p]));
    }
    if let (Some(a), Some(b)) =
        (encode(&dir.join("a.mp4"), "320x240", 4, H264_B), encode(&dir.join("b.avi"), "640x480", 3, MPEG4))
    {
        clips.push(vec![a.clone(), b, a]);
    }
    for (i, files) in clips.iter().enumerate() {
        let (expected, counts) = whole(files);
        eprintln!("{files:?}: {} items, {} rows, {counts:?}", expected.len(), rows(&expected));
        let state = dir.join(format!("state{i}"));
        let mut dice = Dice(i as u64 + 1);
        for round in 0..3 {
            let cuts: Vec<usize> =
                (0..3).map(|_| 1 + dice.below(expected.len() as u64 / 3) as usize).collect();
            let (items, notes) = interrupted(files, (round > 0).then_some(&state), &cuts);
            eprintln!("  cuts {cuts:?}: {notes:#?}");
            let different = items.iter().zip(&expected).position(|(a, b)| a != b);
            assert_eq!(different, None, "{files:?} {cuts:?}");
            assert_eq!(items.len(), expected.len());
        }
    }
}

#[test]
fn a_damaged_state_is_told_and_an_older_one_or_none_is_used() {
    let dir = folder("camera_state");
    let Some(clip) = encode(&dir.join("a.mp4"), "640x480", 6, H264) else { return };
    let files = [clip];
    let expected = whole(&files).0;
    let state = dir.join("state");
    let mut run = CameraRun::start(config(&files), None, Some(&state), None).unwrap();
    let (mut items, _) = follow(&mut run, |n| n >= 12);
    let token = run.position().unwrap();
    drop(run);
    let states: Vec<_> = std::fs::read_dir(&state).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(!states.is_empty());
    for path in &states {
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }
    let mut run = CameraRun::start(config(&files), Some(&token), Some(&state), None).unwrap();
    let (rest, notes) = follow(&mut run, |_| false);
    items.extend(rest);
    assert_eq!(items, expected);
    assert!(notes[0].contains("from the start") && notes[0].contains("damaged"), "{notes:?}");
    assert!(run.counts()["frames_redecoded"] > 0);
}

#[test]
fn a_changed_camera_is_refused() {
    let dir = folder("camera_changed");
    let Some(clip) = encode(&dir.join("a.mp4"), "320x240", 2, H264) else { return };
    let files = [clip];
    let run = CameraRun::start(config(&files), None, None, None).unwrap();
    let token = run.position().unwrap();
    let changed = CameraConfig { start_time_ns: 5, ..config(&files) };
    let error = CameraRun::start(changed, Some(&token), None, None).err().unwrap();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert!(error.message.contains("expected them unchanged"), "{error}");
    let other_version = String::from_utf8(token).unwrap().replacen("\"version\":3", "\"version\":9", 1);
    let error = CameraRun::start(config(&files), Some(other_version.as_bytes()), None, None).err().unwrap();
    assert!(error.message.contains("version 9"), "{error}");
}

#[test]
fn a_camera_that_nobody_polls_waits_and_can_be_closed() {
    let dir = folder("camera_waits");
    let Some(clip) = encode(&dir.join("a.mp4"), "320x240", 20, H264) else { return };
    let files = [clip];
    let mut run = CameraRun::start(config(&files), None, None, None).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    run.close();
    let (expected, counts) = whole(&files);
    assert_eq!(counts["frames_seen"], 500);
    let mut slow = CameraRun::start(config(&files), None, None, None).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(follow(&mut slow, |_| false).0, expected, "nothing was dropped while nobody polled");
}

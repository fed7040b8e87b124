//! Running a camera in a test.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ss_camera::{CameraConfig, CameraRun, Item, Polled};
use ss_model::TrackBatch;

/// A camera on `files` that writes its state very often.
pub fn config(files: &[PathBuf]) -> CameraConfig {
    let json = serde_json::json!({
        "camera": "cam/1", "files": files, "start_time_ns": 1_790_000_000_000_000_000_i64, "checkpoint_s": 0.05,
    });
    CameraConfig::from_json(&serde_json::to_vec(&json).unwrap()).unwrap()
}

/// Items and notes up to the end, or until `stop` says so after a poll.
pub fn follow(run: &mut CameraRun, mut stop: impl FnMut(usize) -> bool) -> (Vec<Item>, Vec<String>) {
    let (mut items, mut notes) = (Vec::new(), Vec::new());
    loop {
        for polled in run.poll(1).unwrap() {
            match polled {
                Polled::Item(item) => items.push(item),
                Polled::Note(note) => notes.push(note.detail),
            }
        }
        if items.last() == Some(&Item::End) || stop(items.len()) {
            return (items, notes);
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Items and counts of an uninterrupted run.
pub fn whole(files: &[PathBuf]) -> (Vec<Item>, BTreeMap<String, u64>) {
    let mut run = CameraRun::start(config(files), None, None, None).unwrap();
    let items = follow(&mut run, |_| false).0;
    (items, run.counts())
}

fn batches(items: &[Item]) -> impl Iterator<Item = TrackBatch> + '_ {
    items.iter().filter_map(|i| match i {
        Item::Tracks { batch, .. } => Some(TrackBatch::from_bytes(batch).unwrap()),
        _ => None,
    })
}

/// Rows of all batches.
pub fn rows(items: &[Item]) -> usize {
    batches(items).map(|b| b.rows.len()).sum()
}

/// Frames of all batches.
pub fn frames(items: &[Item]) -> usize {
    batches(items).map(|b| b.frames()).sum()
}

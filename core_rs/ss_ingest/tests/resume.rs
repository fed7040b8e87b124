//! Cut anywhere and go on: the rest is bit for bit what it would have been.

#![allow(clippy::unwrap_used, reason = "tests")]

mod clips;

use std::path::PathBuf;

use clips::{Dice, H264_B, KINDS, START, Seen, encode, folder, read, see, see_all, shared};
use ss_ingest::{VideoPosition, VideoRun, Wants};

/// Cut `files` after `cut` items, resume, and compare the rest; returns
/// whether the cut point was reached by seeking.
fn cut_at(files: &[PathBuf], whole: &[Seen], cut: usize) -> bool {
    let mut first = VideoRun::open(files.to_vec(), START, Wants::default()).unwrap();
    for expected in &whole[..cut] {
        assert_eq!(see(&mut first).as_ref(), Some(expected));
    }
    let position = first.position(true);
    drop(first);
    resume_from(files, whole, cut, &position)
}

fn resume_from(files: &[PathBuf], whole: &[Seen], cut: usize, position: &VideoPosition) -> bool {
    let (mut second, how) = VideoRun::resume(files.to_vec(), position, Wants::default()).unwrap();
    let rest = see_all(&mut second);
    let different = rest.iter().zip(&whole[cut..]).position(|(a, b)| a != b);
    assert_eq!(different, None, "{files:?} cut after {cut}, {how:?}");
    assert_eq!(rest.len(), whole.len() - cut, "{files:?} cut after {cut}, {how:?}");
    assert!(how.redecoded <= position.decoded, "{how:?} {position:?}");
    how.sought
}

#[test]
fn every_cut_point_of_every_codec() {
    let dir = folder("cuts");
    for (name, options, file) in KINDS {
        let Some(path) = encode(&dir.join(file), "160x120", 4, options) else { continue };
        let files = [path];
        let whole = read(&files);
        let sought = (0..=whole.len()).step_by(3).filter(|&cut| cut_at(&files, &whole, cut)).count();
        eprintln!("{name}: {} items, {sought} of {} cuts by seeking", whole.len(), whole.len() / 3 + 1);
        if name.ends_with("mp4") || name.ends_with("mkv") {
            assert!(sought >= 24, "{name}: only {sought} cuts were reached by seeking");
        }
    }
}

#[test]
fn across_files_of_a_list() {
    let dir = folder("cut_lists");
    let (Some(a), Some(b)) =
        (encode(&dir.join("a.mp4"), "160x120", 1, H264_B), encode(&dir.join("b.ts"), "320x240", 1, H264_B))
    else {
        return;
    };
    let files = [a.clone(), b, a];
    let whole = read(&files);
    assert_eq!(whole.len(), 75);
    for cut in 0..=whole.len() {
        cut_at(&files, &whole, cut);
    }
}

#[test]
fn damaged_files_resume_to_the_same_losses() {
    let dir = folder("cut_damaged");
    for (_, options, file) in KINDS {
        let Some(path) = encode(&dir.join(file), "160x120", 4, options) else { continue };
        let mut bytes = std::fs::read(&path).unwrap();
        let mut dice = Dice(3);
        let length = bytes.len() as u64;
        for _ in 0..12 {
            // The head stays, so that the file still opens.
            let at = length / 3 + dice.below(length / 2);
            bytes[at as usize] ^= 1 << dice.below(8);
        }
        std::fs::write(&path, bytes).unwrap();
        if VideoRun::open(vec![path.clone()], START, Wants::default()).is_err() {
            continue;
        }
        let files = [path];
        let whole = read(&files);
        assert_eq!(whole, read(&files), "{file}: two runs differ");
        eprintln!("{file}: {:?}", whole.iter().filter(|s| matches!(s, Seen::Lost(..))).collect::<Vec<_>>());
        for cut in (0..=whole.len()).step_by(9) {
            cut_at(&files, &whole, cut);
        }
    }
}

#[test]
fn real_clips() {
    let names = ["bgslib_motorway.avi", "bgslib_overhead.avi", "radeberg_1311_10.mp4", "us_side_street.mp4"];
    for name in names {
        let Some(path) = shared(&format!("data/video/{name}")) else { return };
        let files = [path];
        let whole = read(&files);
        let mut dice = Dice(11);
        let cuts: Vec<_> = (0..6).map(|_| dice.below(whole.len() as u64) as usize).collect();
        let sought = cuts.iter().filter(|&&cut| cut_at(&files, &whole, cut)).count();
        eprintln!("{name}: {sought} of {} cuts by seeking", cuts.len());
    }
}

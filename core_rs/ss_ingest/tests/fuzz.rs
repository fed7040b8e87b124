//! Fuzzing on the stable compiler: damaged bitstreams and lying clocks, for as long as one likes.
//!
//! `SMARTSTREAM_FUZZ_S=600 cargo test -p ss_ingest --test fuzz -- --nocapture` looks elsewhere on every run and prints
//! the seed; `SMARTSTREAM_FUZZ_SEED` looks there again. Without either, a short look at the same places. A file that
//! brings the process down lies in `target/tmp/fuzz_*`.

#![allow(clippy::unwrap_used, reason = "tests")]

mod clips;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clips::{Dice, KINDS, START, encode, folder};
use ss_ingest::live::{LiveClock, LiveConfig, LiveRun, Stamp};
use ss_ingest::{Next, Ring, VideoRun, Wants};
use ss_model::EventTime;

const SECOND: i64 = 1_000_000_000;

/// Call `case` until the time is over; how often it was called.
fn fuzz(name: &str, mut case: impl FnMut(&mut Dice)) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let time = Duration::from_secs(number("SMARTSTREAM_FUZZ_S").unwrap_or(1));
    let seed = number("SMARTSTREAM_FUZZ_SEED").unwrap_or_else(|| {
        if number("SMARTSTREAM_FUZZ_S").is_some() { u64::from(std::process::id()) } else { 1 }
    });
    let (begun, mut dice, mut cases) = (Instant::now(), Dice(seed), 0);
    while begun.elapsed() < time {
        case(&mut dice);
        cases += 1;
    }
    println!("{name}: {cases} cases from seed {seed}");
}

/// A clip of every kind, short.
fn seeds(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let make = |(_, options, file): &(&str, &[&str], &str)| {
        let path = encode(&dir.join(file), "96x64", 1, options)?;
        let bytes = std::fs::read(&path).ok()?;
        Some((path, bytes))
    };
    KINDS.iter().filter_map(make).collect()
}

/// Damage as disks, networks and malice make it.
fn damage(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..=dice.below(12) {
        if out.len() < 16 {
            break;
        }
        let (at, n) = (dice.below(out.len() as u64) as usize, dice.below(64) as usize + 1);
        let end = (at + n).min(out.len());
        match dice.below(7) {
            0 => out[at] ^= 1 << dice.below(8),
            1 => out[at..end].iter_mut().for_each(|b| *b = dice.below(256) as u8),
            2 => out[at..end].fill([0, 0xff][dice.below(2) as usize]),
            3 => drop(out.drain(at..end)),
            4 => {
                let piece = out[at..end].to_vec();
                let to = dice.below(out.len() as u64) as usize;
                out.splice(to..to, piece);
            }
            5 if dice.below(8) == 0 => out.truncate(at.max(16)),
            // Numbers that lengths and counts are made of.
            _ => {
                let odd = [0_u32, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x0001_0000];
                let odd = odd[dice.below(6) as usize].to_be_bytes();
                let end = (at + 4).min(out.len());
                out[at..end].copy_from_slice(&odd[..end - at]);
            }
        }
    }
    out
}

/// Ask the ring for what it may or may not have.
fn ask(ring: &Ring, dice: &mut Dice) {
    let at = |dice: &mut Dice| EventTime(START.0 + (dice.below(2_000) as i64 - 300) * 1_000_000);
    let (from, still) = (at(dice), at(dice));
    let to = EventTime(from.0 + dice.below(1_500) as i64 * 1_000_000);
    if let Ok(clip) = ring.clip(from, to) {
        assert!(!clip.data.is_empty() && clip.frames > 0 && clip.first <= clip.last);
    }
    if let Ok(picture) = ring.still(still) {
        assert_eq!(picture.rgb.len(), 3 * picture.width * picture.height);
    }
}

#[test]
fn damaged_files_cost_pictures_and_nothing_else() {
    let dir = folder("fuzz_files");
    let seeds = seeds(&dir);
    if seeds.is_empty() {
        return;
    }
    fuzz("files", |dice| {
        let (path, bytes) = &seeds[dice.below(seeds.len() as u64) as usize];
        let path = path.with_file_name(format!("damaged-{}", path.file_name().unwrap().to_string_lossy()));
        std::fs::write(&path, damage(bytes, dice)).unwrap();
        let Ok(mut video) = VideoRun::open(vec![path.clone()], START, Wants::default()) else { return };
        let ring = Arc::new(Ring::of_files(vec![path]));
        video.tell(Arc::clone(&ring));
        let mut last = EventTime::MIN;
        // A damaged header may promise more than anybody can wait for; what was sent is a second.
        for _ in 0..20_000 {
            match video.next() {
                Next::Frame { frame, .. } => {
                    assert!(
                        frame.time > last
                            && frame.data.len() >= frame.stride * (frame.height - 1) + frame.width
                    );
                    last = frame.time;
                }
                Next::End => break,
                _ => {}
            }
        }
        ask(&ring, dice);
    });
}

#[test]
fn damaged_streams_cost_a_live_camera_pictures_and_nothing_else() {
    let dir = folder("fuzz_live");
    let seeds = seeds(&dir);
    if seeds.is_empty() {
        return;
    }
    fuzz("live", |dice| {
        let (path, bytes) = &seeds[dice.below(seeds.len() as u64) as usize];
        let path = path.with_file_name(format!("damaged-{}", path.file_name().unwrap().to_string_lossy()));
        std::fs::write(&path, damage(bytes, dice)).unwrap();
        let shed = ["latest", "every-nth", "block"][dice.below(3) as usize];
        let config: LiveConfig = serde_json::from_value(serde_json::json!({
            "url": format!("file:{}", path.display()), "pace": 3600.0, "shed": shed, "ring_mb": 1,
            "behind_s": 0.2 + dice.below(30) as f64 / 10.0,
        }))
        .unwrap();
        let ring = Arc::new(Ring::in_memory(0.5 + dice.below(20) as f64 / 10.0, 1 << 20));
        let mut live = LiveRun::start(&config, "fuzz", START, &ring, None, Wants::default()).unwrap();
        let (mut last, begun) = (EventTime::MIN, Instant::now());
        // A file that does not open is tried again for ever, and one with a wild time is waited for.
        while begun.elapsed() < Duration::from_millis(300) {
            match live.next() {
                Next::Frame { frame, .. } => {
                    assert!(frame.time > last);
                    last = frame.time;
                }
                Next::Wait => live.wait(Duration::from_millis(5)),
                Next::Health(health) if health.opened && health.what == "lost" => break,
                Next::End => break,
                _ => {}
            }
            if dice.below(40) == 0 {
                ask(&ring, dice);
            }
        }
        ask(&ring, dice);
    });
}

#[test]
fn lying_clocks_never_take_time_away_from_arrival() {
    fuzz("clock", |dice| {
        let mut clock = LiveClock::new(2 * SECOND, 40_000_000, None);
        let (mut arrival, mut pts, mut off) = (START.0, dice.below(1 << 40) as i64, 0);
        let wild = |dice: &mut Dice| {
            let any = (dice.below(1 << 33) << 31 | dice.below(1 << 31)) as i64;
            [any, -any, i64::MAX, i64::MIN, 0, any >> 20][dice.below(6) as usize]
        };
        let mut guessed = 0_i64;
        for _ in 0..400 {
            let wait = [0, 40_000_000, 40_000_000, 40_000_000, 3 * SECOND][dice.below(5) as usize];
            arrival += wait + dice.below(20_000_000) as i64;
            pts = pts.wrapping_add([40_000_000, 40_000_000, 166_000_000, wait][dice.below(4) as usize]);
            match dice.below(60) {
                0 => pts = wild(dice),
                1 => off = wild(dice),
                2 => arrival += dice.below(100) as i64 * SECOND,
                _ => {}
            }
            let once = dice.below(30) == 0;
            let stamp = Stamp {
                pts_ns: (dice.below(20) > 0).then(|| if once { wild(dice) } else { pts }),
                arrival_ns: arrival,
                camera_ns: (dice.below(3) > 0).then(|| arrival.saturating_add(off)),
            };
            let placed = clock.place(&stamp);
            // Every packet may be a frame's interval after the one before it, whatever our own clock says.
            guessed = if placed.time_ns > arrival { guessed + 1 } else { 0 };
            assert!(placed.time_ns <= arrival + 3 * SECOND + guessed * 40_000_000, "{stamp:?} {placed:?}");
            assert!(placed.time_ns >= arrival - 35 * SECOND || placed.guessed, "{stamp:?} {placed:?}");
        }
    });
}

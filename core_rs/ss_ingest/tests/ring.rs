//! Clips and stills from the packet ring: the very pictures, at their very times.

#![allow(clippy::unwrap_used, reason = "tests")]

mod clips;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clips::{H264, H264_B, KINDS, START, Seen, encode, folder, read, see_all};
use ss_ingest::{Clip, Ring, VideoRun, Wants};
use ss_model::{ErrorKind, EventTime};

const SECOND: i64 = 1_000_000_000;
/// Other pictures than those of the other options.
const NEGATIVE: &[&str] =
    &["-vf", "negate,format=yuv420p", "-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-g", "20"];

fn watch(files: &[PathBuf]) -> (Arc<Ring>, Vec<Seen>) {
    let ring = Arc::new(Ring::of_files(files.to_vec()));
    let mut video = VideoRun::open(files.to_vec(), START, Wants::default()).unwrap();
    video.tell(Arc::clone(&ring));
    (ring, see_all(&mut video))
}

/// Hash of the picture at each time.
fn pictures(seen: &[Seen]) -> BTreeMap<i64, u64> {
    let frame = |s: &Seen| match s {
        Seen::Frame { time, hash, .. } => Some((time.0, *hash)),
        Seen::Lost(..) => None,
    };
    seen.iter().filter_map(frame).collect()
}

/// What the clip shows, read like any other file.
fn shown(clip: &Clip, dir: &Path) -> BTreeMap<i64, u64> {
    let path = dir.join("clip.out");
    std::fs::write(&path, &clip.data).unwrap();
    let mut video = VideoRun::open(vec![path], clip.first, Wants::default()).unwrap();
    pictures(&see_all(&mut video))
}

fn after(seconds: f64) -> EventTime {
    START.plus_seconds(seconds)
}

#[test]
fn a_clip_of_every_codec_shows_the_same_pictures_at_the_same_times() {
    let dir = folder("ring");
    for (name, options, file) in KINDS {
        let Some(path) = encode(&dir.join(file), "160x120", 4, options) else { continue };
        let (ring, seen) = watch(&[path]);
        let whole = pictures(&seen);
        let clip = ring.clip(after(1.7), after(3.0)).unwrap();
        assert_eq!(clip, ring.clip(after(1.7), after(3.0)).unwrap(), "{name}: the same bytes again");
        assert!(clip.first <= after(1.7) && clip.last <= after(3.0), "{name}: {:?}", (clip.first, clip.last));
        assert!(!clip.truncated && clip.last.0 > after(2.9).0, "{name}");
        let shown = shown(&clip, &dir);
        let from = whole.range(clip.first.0..=clip.last.0);
        assert!(from.clone().map(|(_, h)| h).eq(shown.values()), "{name}: other pictures");
        // A clip's ticks are an eleventh of a millisecond, Matroska's one millisecond.
        assert!(from.zip(&shown).all(|(a, b)| (a.0 - b.0).abs() <= SECOND / 1000), "{name}: other times");
        assert_eq!(shown.len(), clip.frames, "{name}");
        for at in [0.0, 0.5, 1.99, 2.0, 3.96] {
            let still = ring.still(after(at)).unwrap();
            let expected = whole.range(..=after(at).0).next_back().unwrap().0;
            assert_eq!(still.time.0, *expected, "{name} at {at}");
            assert_eq!((still.width, still.height, still.rgb.len()), (160, 120, 3 * 160 * 120));
        }
    }
}

#[test]
fn a_still_has_the_colours_of_the_picture() {
    let dir = folder("ring_colours");
    for (colour, rgb) in
        [("red", [255, 0, 0]), ("lime", [0, 255, 0]), ("blue", [0, 0, 255]), ("gray", [128; 3])]
    {
        for (range, matrix) in [("tv", "bt709"), ("pc", "smpte170m")] {
            let filter =
                format!("drawbox=color={colour}:t=fill,scale=out_color_matrix={matrix}:out_range={range}");
            let tags = ["-colorspace", matrix, "-color_range", range, "-vf", &filter, "-c:v", "libx264"];
            let Some(path) = encode(&dir.join("c.mp4"), "64x64", 1, &tags) else { return };
            let still = watch(&[path]).0.still(START).unwrap();
            let middle = &still.rgb[3 * (32 * 64 + 32)..][..3];
            let close = middle.iter().zip(rgb).all(|(&a, b): (&u8, i32)| (i32::from(a) - b).abs() <= 6);
            assert!(close, "{colour} in {matrix} {range}: {middle:?}");
        }
    }
}

#[test]
fn a_clip_crosses_files_of_one_run_and_no_break() {
    let dir = folder("ring_files");
    let (Some(a), Some(b), Some(other)) = (
        encode(&dir.join("a.mp4"), "160x120", 2, H264),
        encode(&dir.join("b.mp4"), "160x120", 2, H264),
        encode(&dir.join("c.mp4"), "320x240", 2, H264_B),
    ) else {
        return;
    };
    let files = [a, b, other];
    let (ring, seen) = watch(&files);
    let whole = pictures(&seen);
    let clip = ring.clip(after(1.0), after(3.0)).unwrap();
    let shown = shown(&clip, &dir);
    assert!(whole.range(clip.first.0..=clip.last.0).map(|(_, h)| h).eq(shown.values()));
    assert!(clip.first <= after(1.0) && clip.last == after(3.0));
    // The third file has another size, so another run.
    let clip = ring.clip(after(2.5), after(4.4)).unwrap();
    assert!(clip.truncated == (clip.last.0 < after(3.4).0) && clip.last < after(4.0));
    let clip = ring.clip(after(3.9), after(5.0)).unwrap();
    // The picture after the last may come with it, where the last refers to it.
    assert!(clip.first == after(4.0) && (after(5.0)..after(5.2)).contains(&clip.last));
    assert_eq!(ring.still(after(5.0)).unwrap().width, 320);
}

#[test]
fn a_resumed_run_cuts_the_same_bytes() {
    let dir = folder("ring_resume");
    let Some(path) = encode(&dir.join("a.mp4"), "160x120", 4, H264_B) else { return };
    let files = [path.clone(), path];
    let expected = watch(&files).0.clip(after(3.0), after(5.0)).unwrap();
    let mut video = VideoRun::open(files.to_vec(), START, Wants::default()).unwrap();
    for _ in 0..120 {
        clips::see(&mut video);
    }
    let position = video.position(true);
    let (mut video, _) = VideoRun::resume(files.to_vec(), &position, Wants::default()).unwrap();
    let ring = Arc::new(Ring::of_files(files.to_vec()));
    video.tell(Arc::clone(&ring));
    see_all(&mut video);
    assert_eq!(ring.clip(after(3.0), after(5.0)).unwrap(), expected);
}

#[test]
fn a_clock_that_starts_again_in_a_file_shows_no_pictures_of_another_time() {
    let dir = folder("ring_restart");
    let (Some(a), Some(b)) =
        (encode(&dir.join("a.ts"), "160x120", 12, H264), encode(&dir.join("b.ts"), "160x120", 12, NEGATIVE))
    else {
        return;
    };
    let both = dir.join("both.ts");
    std::fs::write(&both, [std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap()].concat()).unwrap();
    let files = [both];
    let (ring, seen) = watch(&files);
    let whole = pictures(&seen);
    let (first, _) = watch(&[a]);
    let (second, _) = watch(&[b]);
    // Four pictures tell that the clock has changed; the next is the first on the new one.
    let begun = 12.0 - 0.16;
    let check = |ring: &Ring| {
        for (from, to) in [(4.0, 8.0), (2.0, 11.5), (6.0, 14.0), (12.2, 13.0), (13.0, 20.0), (17.0, 23.9)] {
            let clip = ring.clip(after(from), after(to)).unwrap();
            // Its key frame is one of the four.
            let first = if from < 12.0 { clip.first } else { clip.first.max(after(12.0)) };
            let held = whole.range(first.0..=clip.last.0);
            let mut shown = shown(&clip, &dir).into_values();
            let same = |hash: &u64| shown.any(|other| other == *hash);
            assert!(held.map(|(_, hash)| hash).all(same), "{from} to {to}: other pictures");
            assert_eq!(clip.truncated, (from, to) == (6.0, 14.0), "{from} to {to}");
        }
        for at in [0.0, 5.0, 11.0, 11.9] {
            assert_eq!(ring.still(after(at)).unwrap(), first.still(after(at)).unwrap(), "{at}");
        }
        for at in [12.0, 12.2, 13.0, 17.0, 23.0] {
            let expected = second.still(after(at - begun)).unwrap();
            assert_eq!(ring.still(after(at)).unwrap().rgb, expected.rgb, "{at}");
        }
    };
    check(&ring);
    for cut in [10, 280, 302, 320, 500] {
        let mut video = VideoRun::open(files.to_vec(), START, Wants::default()).unwrap();
        for _ in 0..cut {
            clips::see(&mut video);
        }
        let position = video.position(true);
        let (mut video, how) = VideoRun::resume(files.to_vec(), &position, Wants::default()).unwrap();
        let ring = Arc::new(Ring::of_files(files.to_vec()));
        video.tell(Arc::clone(&ring));
        assert_eq!(see_all(&mut video), seen[cut..], "{cut} {how:?}");
        check(&ring);
    }
}

#[test]
fn what_was_not_read_yet_is_not_shown_though_its_clock_says_the_same() {
    let dir = folder("ring_ahead");
    let (Some(a), Some(b)) =
        (encode(&dir.join("a.ts"), "160x120", 12, H264), encode(&dir.join("b.ts"), "160x120", 40, NEGATIVE))
    else {
        return;
    };
    let both = dir.join("both.ts");
    std::fs::write(&both, [std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap()].concat()).unwrap();
    let mut video = VideoRun::open(vec![both.clone()], START, Wants::default()).unwrap();
    let ring = Arc::new(Ring::of_files(vec![both]));
    video.tell(Arc::clone(&ring));
    for _ in 0..295 {
        clips::see(&mut video);
    }
    let first = watch(&[a]).0;
    for at in [0.5, 3.0, 7.0, 11.0] {
        assert_eq!(ring.still(after(at)).unwrap(), first.still(after(at)).unwrap(), "{at}");
    }
}

#[test]
fn a_picture_that_was_taken_at_another_time_is_no_still_and_a_clip_with_a_hole_says_so() {
    let dir = folder("ring_hole");
    let hole =
        &["-vf", "setpts='PTS+gte(N,50)*8/TB'", "-fps_mode", "passthrough", "-c:v", "libx264", "-bf", "0"];
    let Some(path) = encode(&dir.join("a.mkv"), "160x120", 4, hole) else { return };
    let ring = watch(&[path]).0;
    assert_eq!(ring.still(after(2.9)).unwrap().time, after(1.96));
    let error = ring.still(after(6.0)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::DataLoss);
    assert!(error.message.contains("taken 4.0 s before"), "{error}");
    assert!(ring.still(after(-1.5)).is_err());
    assert!(ring.clip(after(1.0), after(11.0)).unwrap().truncated);
    assert!(!ring.clip(after(10.5), after(11.0)).unwrap().truncated);
}

#[test]
fn what_cannot_be_cut_is_said() {
    let dir = folder("ring_refused");
    let Some(path) = encode(&dir.join("a.mp4"), "160x120", 2, H264) else { return };
    let kind = |r: ss_model::Result<Clip>| r.unwrap_err().kind;
    assert_eq!(kind(Ring::of_files(vec![path.clone()]).clip(START, START)), ErrorKind::Unavailable);
    let (ring, seen) = watch(std::slice::from_ref(&path));
    assert_eq!(kind(ring.clip(after(1.0), START)), ErrorKind::InvalidInput);
    assert_eq!(kind(ring.clip(START, after(301.0))), ErrorKind::InvalidInput);
    assert!(ring.clip(after(-10.0), after(0.5)).unwrap().truncated);
    assert!(ring.clip(after(1.0), after(9.0)).unwrap().truncated);
    assert_eq!(read(std::slice::from_ref(&path)), seen, "telling a ring changes nothing");
    std::fs::remove_file(&path).unwrap();
    assert!(ring.clip(START, after(1.0)).is_err());
}

//! Files of every codec and container, from first to last frame.

#![allow(clippy::unwrap_used, reason = "tests")]

mod clips;

use clips::{H264, KINDS, MPEG4, START, Seen, encode, folder, frames, read, shared};
use ss_ingest::{Next, VideoRun, Wants, probe, still};
use ss_model::{ErrorKind, EventTime};

#[test]
fn every_codec_from_first_to_last_frame() {
    let dir = folder("every_codec");
    for (name, options, file) in KINDS {
        let Some(path) = encode(&dir.join(file), "320x240", 3, options) else { continue };
        let seen = read(&[path]);
        assert_eq!(seen.len(), 75, "{name}: {:?}", seen.iter().find(|s| matches!(s, Seen::Lost(..))));
        for (i, s) in seen.iter().enumerate() {
            let Seen::Frame { run: 0, number, time, size: (320, 240), doubtful: false, .. } = s else {
                panic!("{name}: frame {i} is {s:?}");
            };
            assert_eq!(*number, i as u64, "{name}");
            // Matroska rounds to milliseconds.
            let expected = START.0 + i as i64 * 40_000_000;
            assert!((time.0 - expected).abs() <= 1_000_000, "{name}: frame {i} at {time:?}");
        }
    }
}

#[test]
fn where_nobody_states_a_rate_times_are_guessed() {
    let dir = folder("no_rate");
    let silent: &[&str] = &["-c:v", "libx265", "-x265-params", "log-level=none:vui-timing-info=0"];
    for (options, file, assumed) in
        [(silent, "a.hevc", true), (silent, "a.mp4", false), (H264, "a.h264", false)]
    {
        let Some(path) = encode(&dir.join(file), "320x240", 1, options) else { continue };
        assert_eq!(probe(&path).unwrap().fps_assumed, assumed, "{file}");
        let mut video = VideoRun::open(vec![path], START, Wants::default()).unwrap();
        let mut seen = 0;
        while let Next::Frame { guessed, .. } = video.next() {
            assert_eq!(guessed, assumed, "{file}");
            seen += 1;
        }
        assert_eq!(seen, 25, "{file}");
    }
}

#[test]
fn consecutive_files_are_one_run() {
    let dir = folder("consecutive");
    let (Some(a), Some(b)) =
        (encode(&dir.join("a.mp4"), "320x240", 2, H264), encode(&dir.join("b.mkv"), "320x240", 1, H264))
    else {
        return;
    };
    let seen = read(&[a, b]);
    assert_eq!(seen.len(), 75);
    let Seen::Frame { run: 0, number: 50, time, .. } = seen[50] else { panic!("{:?}", seen[50]) };
    assert_eq!(time, EventTime(START.0 + 2_000_000_000));
}

#[test]
fn a_picture_that_changes_size_begins_a_run() {
    let dir = folder("size_change");
    let (Some(a), Some(b)) =
        (encode(&dir.join("a.h264"), "320x240", 1, H264), encode(&dir.join("b.h264"), "640x480", 1, H264))
    else {
        return;
    };
    let both = dir.join("both.h264");
    std::fs::write(&both, [std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap()].concat()).unwrap();
    let seen = read(&[both]);
    assert_eq!(frames(&seen), 50);
    assert!(matches!(seen[24], Seen::Frame { run: 0, number: 24, size: (320, 240), .. }), "{:?}", seen[24]);
    assert!(matches!(seen[25], Seen::Frame { run: 1, number: 0, size: (640, 480), .. }), "{:?}", seen[25]);
}

#[test]
fn deep_and_gray_pictures_become_eight_bits() {
    let dir = folder("deep");
    let plain = encode(&dir.join("8.mp4"), "320x240", 1, &["-c:v", "libx264", "-qp", "0"]);
    let deep: &[&str] = &["-pix_fmt", "yuv420p10le", "-c:v", "libx264", "-qp", "0"];
    let gray: &[&str] = &["-pix_fmt", "gray", "-c:v", "libx264", "-qp", "0"];
    let packed: &[&str] = &["-pix_fmt", "yuvj422p", "-c:v", "mjpeg", "-q:v", "2"];
    for (name, options) in [("deep.mp4", deep), ("gray.mp4", gray), ("full.avi", packed)] {
        let Some(path) = encode(&dir.join(name), "320x240", 1, options) else { continue };
        assert_eq!(frames(&read(&[path])), 25, "{name}");
    }
    // Lossless ten bits of an eight-bit picture give the same luma back.
    if let (Some(plain), deep) = (plain, dir.join("deep.mp4"))
        && deep.exists()
    {
        assert_eq!(still(&plain, 0.5).unwrap(), still(&deep, 0.5).unwrap());
    }
}

#[test]
fn what_is_no_video_is_refused_with_one_message() {
    let dir = folder("no_video");
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(dir.join(name), bytes).unwrap();
        dir.join(name)
    };
    let cases = [
        (dir.join("missing.mp4"), "cannot be opened"),
        (dir.clone(), "is a folder"),
        (write("empty.mp4", b""), "is empty"),
        (write("text.txt", "Ngã tư Tân Long\n".repeat(500).as_bytes()), ""),
        (write("noise.mp4", &(0..20_000u32).map(|i| ((i * i) >> 7) as u8).collect::<Vec<_>>()), ""),
        (write("playlist.mp4", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n"), ""),
        (write("concat.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n"), ""),
    ];
    for (path, expected) in cases {
        let error = probe(&path).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput, "{error}");
        assert!(error.message.contains(&*path.to_string_lossy()), "{error}");
        assert!(error.message.contains(expected), "{error}");
        eprintln!("{error}");
    }
    if let Some(sound) = encode(&dir.join("sound.wav"), "320x240", 1, &["-map", "0:v", "-c:v", "rawvideo"]) {
        assert!(probe(&sound).is_err());
    }
}

#[test]
fn every_shared_clip_from_first_to_last_frame() {
    let Some(dir) = shared("data/video") else { return };
    let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if !path.extension().is_some_and(|e| ["mp4", "avi", "h264"].iter().any(|x| e == *x)) {
            continue;
        }
        let found = probe(&path).unwrap();
        let seen = read(std::slice::from_ref(&path));
        let lost: Vec<_> = seen.iter().filter(|s| matches!(s, Seen::Lost(..))).collect();
        eprintln!("{}: {found:?}: {} frames, lost {lost:?}", path.display(), frames(&seen));
        assert!(frames(&seen) >= 60, "{}", path.display());
        assert!(lost.is_empty(), "{}: {lost:?}", path.display());
    }
}

#[test]
fn what_a_file_leaves_out_on_purpose_is_no_loss_and_moves_nothing_that_follows() {
    let dir = folder("left_out");
    let some =
        &["-vf", "select='not(between(mod(n,20),5,8))'", "-fps_mode", "vfr", "-c:v", "mpeg4", "-g", "12"];
    let (Some(dropped), Some(trimmed), Some(next)) = (
        encode(&dir.join("dropped.avi"), "320x240", 4, some),
        encode(&dir.join("trimmed.mp4"), "320x240", 6, H264),
        encode(&dir.join("next.mp4"), "320x240", 1, H264),
    ) else {
        return;
    };
    // Two seconds of the six are shown: the edit list says so, the index of samples does not.
    let mut bytes = std::fs::read(&trimmed).unwrap();
    let list = bytes.windows(4).position(|w| w == b"elst").unwrap() + 12;
    assert_eq!(bytes[list..list + 4], 6000u32.to_be_bytes());
    bytes[list..list + 4].copy_from_slice(&2000u32.to_be_bytes());
    std::fs::write(&trimmed, bytes).unwrap();
    for (path, length_s, n) in [(dropped, 4, 80), (trimmed, 2, 50)] {
        let seen = read(&[path.clone(), next.clone()]);
        let lost: Vec<_> = seen.iter().filter(|s| matches!(s, Seen::Lost(..))).collect();
        assert!(lost.is_empty(), "{}: {lost:?}", path.display());
        assert_eq!(frames(&seen), n + 25, "{}", path.display());
        let Seen::Frame { run: 0, time, .. } = seen[n] else { panic!("{:?}", seen[n]) };
        assert!(
            (time.0 - START.0 - length_s * 1_000_000_000).abs() <= 1_000_000,
            "{}: {time:?}",
            path.display()
        );
    }
}

#[test]
fn a_file_cut_short_says_so() {
    let dir = folder("cut_short");
    for (name, options) in [("a.mp4", H264), ("a.mkv", H264), ("a.avi", MPEG4)] {
        let fragments: &[&str] = if name == "a.mp4" { &["-movflags", "+faststart"] } else { &[] };
        let options = [options, fragments].concat();
        let Some(path) = encode(&dir.join(name), "320x240", 6, &options) else { continue };
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let Some(next) = encode(&dir.join("next.mp4"), "320x240", 1, H264) else { continue };
        let seen = read(&[path, next]);
        let cut = seen.iter().position(|s| matches!(s, Seen::Lost("truncated", _, _, 1)));
        assert!(cut.is_some_and(|n| (50..120).contains(&n)), "{name}: {cut:?} {:?}", &seen[45..]);
        // The file after it keeps its place in time.
        let Seen::Frame { time, .. } = seen[seen.len() - 25] else { panic!("{name}") };
        assert!((time.0 - START.0 - 6_000_000_000).abs() <= 1_000_000, "{name}: {time:?}");
    }
}

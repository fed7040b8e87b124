//! The tracker as a whole.

use proptest::prelude::*;
use ss_model::VehicleClass;

use super::*;

fn detection(x: f32, y: f32, w: f32, h: f32, score: f32) -> Detection {
    Detection { bbox: BoxF { x1: x, y1: y, x2: x + w, y2: y + h }, score, class: VehicleClass::Car, flags: 0 }
}

fn at(frame: i64) -> EventTime {
    EventTime(1_790_000_000_000_000_000 + frame * 100_000_000)
}

fn tracker(params: TrackerParams) -> Tracker {
    Tracker::new(params).expect("presets are valid")
}

fn ids(tracks: &[Track]) -> Vec<u32> {
    tracks.iter().map(|t| t.id).collect()
}

#[test]
fn every_preset_is_valid_and_found_by_name() {
    for name in ["vehicle", "vehicle_stable", "pedestrian", "detector", "motion"] {
        TrackerParams::preset(name).unwrap().validate().unwrap();
    }
    assert!(TrackerParams::preset("car").unwrap_err().message.contains("\"car\""));
    let wrong = TrackerParams { gate_high: f32::NAN, ..TrackerParams::vehicle() };
    assert!(Tracker::new(wrong).unwrap_err().message.contains("gate_high"));
}

#[test]
fn one_vehicle_keeps_its_id_and_its_detected_box() {
    let mut t = tracker(TrackerParams::vehicle());
    for f in 0..20 {
        let seen = detection(f as f32 * 8.0, 50.0, 40.0, 30.0, 0.9);
        let tracks = t.update(at(f), &[seen]);
        assert_eq!(ids(tracks), [1]);
        assert_eq!(tracks[0].bbox, seen.bbox);
        assert_eq!(tracks[0].flags, 0);
    }
}

#[test]
fn a_vehicle_hidden_for_less_than_the_memory_keeps_its_id() {
    for (hidden, expected) in [(9, 1), (11, 2)] {
        let mut t = tracker(TrackerParams::vehicle());
        let mut last = Vec::new();
        for f in 0..30 {
            let seen = [detection(f as f32 * 4.0, 50.0, 40.0, 30.0, 0.9)];
            let shown = !(10..10 + hidden).contains(&f);
            last = ids(t.update(at(f), if shown { &seen } else { &[] }));
        }
        assert_eq!(last, [expected], "hidden for {hidden} frames of 0.1 s");
    }
}

#[test]
fn memory_is_in_seconds_whatever_the_frame_rate() {
    for (step, hidden) in [(40_000_000, 24), (200_000_000, 4)] {
        let mut t = tracker(TrackerParams::vehicle());
        let seen = [detection(100.0, 50.0, 40.0, 30.0, 0.9)];
        let mut now = at(0);
        for f in 0..=(hidden + 10) {
            now = EventTime(now.0 + step);
            let shown = !(5..5 + hidden).contains(&f);
            t.update(now, if shown { &seen } else { &[] });
        }
        assert_eq!(ids(t.update(EventTime(now.0 + step), &seen)), [1], "step {step} ns");
    }
}

#[test]
fn weak_detections_continue_tracks_and_begin_none() {
    let mut t = tracker(TrackerParams::vehicle());
    assert!(t.update(at(0), &[detection(0.0, 0.0, 40.0, 30.0, 0.3)]).is_empty());
    t.update(at(1), &[detection(0.0, 0.0, 40.0, 30.0, 0.9)]);
    assert_eq!(ids(t.update(at(2), &[detection(1.0, 0.0, 40.0, 30.0, 0.2)])), [1]);
    assert!(t.update(at(3), &[detection(1.0, 0.0, 40.0, 30.0, 0.05)]).is_empty());
    assert_eq!(t.counts().weak, 1);
}

#[test]
fn a_track_of_the_stable_preset_needs_two_sightings_in_a_row() {
    let mut t = tracker(TrackerParams::vehicle_stable());
    let seen = [detection(0.0, 0.0, 40.0, 30.0, 0.9)];
    assert!(t.update(at(0), &seen).is_empty());
    assert!(t.update(at(1), &[]).is_empty());
    assert!(t.update(at(2), &seen).is_empty());
    assert_eq!(ids(t.update(at(3), &seen)), [2]);
}

#[test]
fn garbage_is_dropped_and_counted() {
    let mut t = tracker(TrackerParams::vehicle());
    let garbage = [
        detection(f32::NAN, 0.0, 4.0, 4.0, 0.9),
        detection(0.0, f32::INFINITY, 4.0, 4.0, 0.9),
        detection(0.0, 0.0, 0.0, 4.0, 0.9),
        detection(0.0, 0.0, 4.0, -4.0, 0.9),
        detection(1e30, 0.0, 1e30, 4.0, 0.9),
        detection(0.0, 0.0, 4.0, 4.0, f32::NAN),
        detection(0.0, 0.0, 4.0, 4.0, -0.1),
    ];
    assert!(t.update(at(0), &garbage).is_empty());
    assert_eq!(t.counts(), Counts { detections: 7, unusable: 7, weak: 0, duplicates: 0 });
}

#[test]
fn of_duplicates_the_best_stays() {
    let mut t = tracker(TrackerParams::vehicle());
    let seen = [
        detection(0.0, 0.0, 40.0, 30.0, 0.7),
        detection(1.0, 0.0, 40.0, 30.0, 0.9),
        detection(200.0, 0.0, 40.0, 30.0, 0.8),
    ];
    let tracks = t.update(at(0), &seen);
    assert_eq!(tracks.iter().map(|t| t.score).collect::<Vec<_>>(), [0.9, 0.8]);
    assert_eq!(t.sources(), [1, 2]);
    assert_eq!(t.counts().duplicates, 1);
}

#[test]
fn the_class_is_a_vote_weighted_by_score() {
    let mut t = tracker(TrackerParams::vehicle());
    let mut class = VehicleClass::Unknown;
    for (f, (c, score)) in [
        (VehicleClass::Unknown, 0.95),
        (VehicleClass::Truck, 0.9),
        (VehicleClass::Car, 0.6),
        (VehicleClass::Car, 0.5),
    ]
    .into_iter()
    .enumerate()
    {
        class = t.update(at(f as i64), &[Detection { class: c, ..detection(0.0, 0.0, 40.0, 30.0, score) }])
            [0]
        .class;
    }
    assert_eq!(class, VehicleClass::Car);
}

#[test]
fn two_tracks_and_one_detection_between_them_is_doubtful() {
    let mut t = tracker(TrackerParams::vehicle());
    for f in 0..3 {
        let tracks =
            t.update(at(f), &[detection(0.0, 0.0, 40.0, 30.0, 0.9), detection(30.0, 0.0, 40.0, 30.0, 0.9)]);
        assert!(tracks.iter().all(|t| t.flags == 0), "neighbours are not doubtful");
    }
    let merged = t.update(at(3), &[detection(15.0, 0.0, 40.0, 30.0, 0.9)]);
    assert_eq!(merged.len(), 1);
    assert_eq!(merged[0].flags, Track::DOUBTFUL);
}

#[test]
fn after_a_doubt_the_class_is_told_anew() {
    let mut t = tracker(TrackerParams::vehicle());
    let pair = [detection(0.0, 0.0, 40.0, 30.0, 0.9), detection(30.0, 0.0, 40.0, 30.0, 0.9)];
    for f in 0..5 {
        t.update(at(f), &pair.map(|d| Detection { class: VehicleClass::Truck, ..d }));
    }
    let one = Detection { class: VehicleClass::Car, ..detection(15.0, 0.0, 40.0, 30.0, 0.9) };
    let seen = t.update(at(5), &[one])[0];
    assert_eq!((seen.flags, seen.class), (Track::DOUBTFUL, VehicleClass::Car));
    let mut t = tracker(TrackerParams::motion());
    let blobs = pair.map(|d| Detection { flags: Track::CLASS_BY_SIZE, class: VehicleClass::Truck, ..d });
    for f in 0..5 {
        t.update(at(f), &blobs);
    }
    let seen = t.update(at(5), &[Detection { flags: Track::CLASS_BY_SIZE, ..one }])[0];
    assert_eq!(
        (seen.flags & Track::DOUBTFUL, seen.class),
        (Track::DOUBTFUL, VehicleClass::Truck),
        "an outline keeps its votes"
    );
}

#[test]
fn one_track_and_two_detections_beside_it_is_doubtful() {
    let mut t = tracker(TrackerParams::vehicle());
    t.update(at(0), &[detection(15.0, 0.0, 40.0, 30.0, 0.9)]);
    let split =
        t.update(at(1), &[detection(0.0, 0.0, 40.0, 30.0, 0.9), detection(30.0, 0.0, 40.0, 30.0, 0.9)]);
    assert_eq!(split.iter().map(|t| (t.id, t.flags)).collect::<Vec<_>>(), [(1, Track::DOUBTFUL), (2, 0)]);
}

#[test]
fn who_stands_where_he_stood_is_himself_whoever_vanishes_beside_him() {
    let only = |x: f32| {
        let mut t = tracker(TrackerParams::vehicle());
        for f in 0..10 {
            t.update(at(f), &[detection(0.0, 0.0, 40.0, 30.0, 0.9), detection(8.0, 0.0, 40.0, 30.0, 0.9)]);
        }
        t.update(at(10), &[detection(x, 0.0, 40.0, 30.0, 0.9)])[0].flags
    };
    assert_eq!((only(0.0), only(5.0), only(8.0)), (0, Track::DOUBTFUL, 0));
}

#[test]
fn a_sighting_far_from_where_it_was_expected_is_doubtful_with_any_rival() {
    let seen = |beside: &[Detection], jump: f32| {
        let mut t = tracker(TrackerParams::vehicle());
        for f in 0..10 {
            t.update(at(f), &[&[detection(0.0, 0.0, 40.0, 30.0, 0.9)], beside].concat());
        }
        t.update(at(10), &[detection(jump, 0.0, 40.0, 30.0, 0.9)])[0].flags
    };
    let beside = [detection(-26.0, 0.0, 40.0, 30.0, 0.9)];
    assert_eq!((seen(&[], 14.0), seen(&beside, 2.0), seen(&beside, 14.0)), (0, 0, Track::DOUBTFUL));
}

#[test]
fn a_car_is_no_rival_of_a_motorcycle_unless_size_alone_told_them_apart() {
    for (class, flags, expected) in [
        (VehicleClass::Car, 0, 0),
        (VehicleClass::Bicycle, 0, Track::DOUBTFUL),
        (VehicleClass::Unknown, 0, Track::DOUBTFUL),
        (VehicleClass::Car, Track::CLASS_BY_SIZE, Track::DOUBTFUL),
    ] {
        let mut t = tracker(TrackerParams::vehicle());
        let of = |x: f32, class| Detection { class, flags, ..detection(x, 0.0, 40.0, 30.0, 0.9) };
        for f in 0..3 {
            t.update(at(f), &[of(0.0, VehicleClass::Motorcycle), of(30.0, class)]);
        }
        let between = t.update(at(3), &[of(13.0, VehicleClass::Motorcycle)]);
        let found: Vec<_> = between.iter().map(|t| (t.id, t.flags & Track::DOUBTFUL)).collect();
        assert_eq!(found, [(1, expected)], "{class:?} {flags}");
    }
}

#[test]
fn flags_of_a_detection_reach_its_row() {
    let mut t = tracker(TrackerParams::motion());
    let seen =
        [Detection { flags: Track::CLASS_BY_SIZE | Track::DOUBTFUL, ..detection(0.0, 0.0, 40.0, 30.0, 0.9) }];
    t.update(at(0), &seen);
    t.update(at(1), &seen);
    assert_eq!(t.update(at(2), &seen)[0].flags, Track::CLASS_BY_SIZE | Track::DOUBTFUL);
}

#[test]
fn an_id_is_never_used_again() {
    let mut t = tracker(TrackerParams::vehicle());
    for f in 0..30 {
        let seen = [detection(0.0, 0.0, 40.0, 30.0, 0.9)];
        assert_eq!(ids(t.update(at(f * 20), &seen)), [f as u32 + 1]);
    }
}

#[test]
fn blobs_that_merge_or_split_are_doubtful() {
    let (big, small) = (detection(0.0, 0.0, 80.0, 60.0, 1.0), detection(84.0, 30.0, 20.0, 30.0, 1.0));
    let merged = detection(0.0, 0.0, 104.0, 60.0, 1.0);
    let mut t = tracker(TrackerParams::motion());
    let flags = |t: &mut Tracker, frame: i64, seen: &[Detection]| -> Vec<(u32, u8)> {
        t.update(at(frame), seen).iter().map(|t| (t.id, t.flags)).collect()
    };
    for frame in 0..6 {
        assert!(flags(&mut t, frame, &[big, small]).iter().all(|(_, flags)| *flags == 0));
    }
    assert_eq!(flags(&mut t, 6, &[merged]), [(1, Track::DOUBTFUL)], "the other blob vanished into it");
    assert_eq!(flags(&mut t, 7, &[merged]), [(1, 0)]);

    let mut t = tracker(TrackerParams { confirm_hits: 1, ..TrackerParams::motion() });
    for frame in 0..6 {
        flags(&mut t, frame, &[merged]);
    }
    assert_eq!(flags(&mut t, 6, &[big, small])[0], (1, Track::DOUBTFUL), "a blob came out of it");
}

#[test]
fn a_track_found_again_is_doubtful_in_that_frame() {
    let mut t = tracker(TrackerParams::vehicle());
    let seen = [detection(0.0, 0.0, 40.0, 30.0, 0.9)];
    let found = [(0, 0), (2, 0), (5, Track::DOUBTFUL), (6, 0)];
    for frame in 0..=6 {
        let shown = found.iter().find(|(f, _)| *f == frame);
        let flags: Vec<u8> =
            t.update(at(frame), if shown.is_some() { &seen } else { &[] }).iter().map(|t| t.flags).collect();
        assert_eq!(flags, shown.iter().map(|(_, flags)| *flags).collect::<Vec<_>>(), "frame {frame}");
    }
    for (step, expected) in [(8, 0), (12, Track::DOUBTFUL)] {
        t.update(at(step), &[]);
        if expected != 0 {
            t.update(at(step + 1), &[]);
        }
        assert_eq!(
            t.update(at(step + 2), &seen)[0].flags,
            expected,
            "a low frame rate: one frame missed, two frames missed"
        );
    }
}

#[test]
fn time_that_stands_still_or_runs_back_moves_nothing() {
    let mut t = tracker(TrackerParams::vehicle());
    let seen = [detection(0.0, 0.0, 40.0, 30.0, 0.9)];
    for time in [5, 5, 3, 6] {
        assert_eq!(ids(t.update(at(time), &seen)), [1]);
    }
}

#[test]
fn a_clip_whose_columns_do_not_fit_is_refused() {
    let seen = [detection(0.0, 0.0, 40.0, 30.0, 0.9); 2];
    for (frames, fps, says) in [
        (&[1][..], 10.0, "1 frame numbers for 2"),
        (&[2, 1], 10.0, "frame 1 after 2"),
        (&[1, i64::MAX], 10.0, "beyond"),
        (&[1, 2], 0.0, "0 frames per second"),
        (&[1, 2], f64::NAN, "NaN frames"),
    ] {
        let error = tracker(TrackerParams::vehicle()).track_clip(frames, &seen, fps).unwrap_err();
        assert!(error.message.contains(says), "{error}");
    }
    let far = tracker(TrackerParams::vehicle()).track_clip(&[1, 1_000_000_000], &seen, 10.0).unwrap();
    assert_eq!(far.rows.iter().map(|t| t.id).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn foreign_snapshots_are_refused() {
    let mut t = tracker(TrackerParams::vehicle());
    t.update(at(0), &[detection(0.0, 0.0, 40.0, 30.0, 0.9)]);
    let good = t.snapshot();
    for bad in [&[][..], &[9, 1, 2], &good[..good.len() - 1], &[&good[..], &[0]].concat()] {
        assert!(t.restore(bad).is_err());
    }
    assert_eq!(t.snapshot(), good, "a refused snapshot changes nothing");
    t.restore(&good).unwrap();
}

/// Frames of a few boxes that drift, vanish, collide; garbage among them.
fn clip() -> impl Strategy<Value = Vec<Vec<Detection>>> {
    let one = (0i32..200, 0i32..60, 4i32..40, 4i32..40, 0u8..12).prop_map(|(x, y, w, h, kind)| {
        let mut d = detection(x as f32, y as f32, w as f32, h as f32, 0.35 + 0.05 * f32::from(kind));
        if kind == 11 {
            d.bbox.x2 = if w % 2 == 0 { f32::NAN } else { d.bbox.x1 };
        }
        d.class = VehicleClass::ALL[usize::from(kind) % VehicleClass::ALL.len()];
        d
    });
    proptest::collection::vec(proptest::collection::vec(one, 0..12), 1..12)
}

fn presets() -> impl Strategy<Value = TrackerParams> {
    prop_oneof![
        Just(TrackerParams::vehicle()),
        Just(TrackerParams::vehicle_stable()),
        Just(TrackerParams::pedestrian()),
        Just(TrackerParams::detector()),
        Just(TrackerParams::motion()),
    ]
}

proptest! {
    #[test]
    fn a_frame_holds_each_id_and_each_detection_once(params in presets(), frames in clip()) {
        let mut t = tracker(params);
        for (f, seen) in frames.iter().enumerate() {
            let tracks = t.update(at(f as i64), seen).to_vec();
            prop_assert!(tracks.windows(2).all(|w| w[0].id < w[1].id), "ascending, none twice");
            let mut sources = t.sources().to_vec();
            prop_assert_eq!(sources.len(), tracks.len());
            for (track, &source) in tracks.iter().zip(&sources) {
                prop_assert_eq!(track.bbox, seen[source as usize].bbox);
            }
            sources.sort_unstable();
            sources.dedup();
            prop_assert_eq!(sources.len(), tracks.len());
        }
    }

    #[test]
    fn restoring_a_snapshot_equals_carrying_on(params in presets(), frames in clip(), cut in 0usize..12) {
        let mut straight = tracker(params);
        let mut resumed = tracker(params);
        for (f, seen) in frames.iter().enumerate() {
            if f == cut {
                let bytes = resumed.snapshot();
                resumed = tracker(params);
                resumed.restore(&bytes).unwrap();
            }
            let expected = straight.update(at(f as i64), seen).to_vec();
            prop_assert_eq!(resumed.update(at(f as i64), seen), expected);
        }
        prop_assert_eq!(straight.snapshot(), resumed.snapshot());
    }

    #[test]
    fn the_order_of_detections_does_not_matter(params in presets(), frames in clip(), seed in 0u64..1000) {
        let mut given = tracker(params);
        let mut shuffled = tracker(params);
        for (f, seen) in frames.iter().enumerate() {
            // Boxes at the same corner are exact ties.
            let mut unique: Vec<Detection> = Vec::new();
            for d in seen {
                if !unique.iter().any(|u| u.bbox.y1 == d.bbox.y1 && (u.bbox.x1 == d.bbox.x1 || params.buffer_high > 0.0)) {
                    unique.push(*d);
                }
            }
            let mut other = unique.clone();
            let turn = (seed as usize + f) % other.len().max(1);
            other.rotate_left(turn);
            other.reverse();
            let expected = given.update(at(f as i64), &unique).to_vec();
            prop_assert_eq!(shuffled.update(at(f as i64), &other), expected);
        }
    }

    #[test]
    fn the_unit_of_either_axis_does_not_matter(params in presets(), frames in clip()) {
        let mut pixels = tracker(params);
        let mut scaled = tracker(params);
        for (f, seen) in frames.iter().enumerate() {
            let other: Vec<Detection> = seen.iter().map(|d| {
                let b = d.bbox; // powers of two: exact
                Detection { bbox: BoxF { x1: b.x1 / 2048.0, y1: b.y1 / 1024.0, x2: b.x2 / 2048.0, y2: b.y2 / 1024.0 }, ..*d }
            }).collect();
            let expected: Vec<_> = pixels.update(at(f as i64), seen).iter().map(|t| (t.id, t.flags)).collect();
            let found: Vec<_> = scaled.update(at(f as i64), &other).iter().map(|t| (t.id, t.flags)).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_clip_equals_its_frames_one_by_one(params in presets(), frames in clip(), gap in 0i64..40) {
        // A gap after the third frame, told as empty frames or as missing numbers.
        let number = |f: usize| f as i64 + if f >= 3 { gap } else { 0 };
        let mut single = tracker(params);
        let mut expected = ClipTracks::default();
        let (mut numbers, mut detections) = (Vec::new(), Vec::new());
        for (f, seen) in frames.iter().enumerate() {
            for empty in 0..if f == 3 { gap } else { 0 } {
                single.update(EventTime((3 + empty) * 100_000_000), &[]);
            }
            let rows = single.update(EventTime(number(f) * 100_000_000), seen);
            expected.rows.extend_from_slice(rows);
            expected.frame.resize(expected.rows.len(), number(f));
            expected.source.extend(single.sources().iter().map(|s| s + detections.len() as u32));
            numbers.resize(numbers.len() + seen.len(), number(f));
            detections.extend_from_slice(seen);
        }
        let found = tracker(params).track_clip(&numbers, &detections, 10.0).unwrap();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn foreign_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut t = tracker(TrackerParams::vehicle());
        let mut framed = vec![1];
        framed.extend_from_slice(&bytes);
        let _ = t.restore(&bytes);
        let _ = t.restore(&framed);
        t.update(at(0), &[detection(0.0, 0.0, 4.0, 4.0, 0.9)]);
    }
}

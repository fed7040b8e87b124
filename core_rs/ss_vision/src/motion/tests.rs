//! The detector on synthetic pictures: grey street, squares that drive on it.

use proptest::prelude::*;
use ss_model::{EventTime, LumaFrame, Point};

use super::*;
use crate::tracker::{Tracker, TrackerParams};

const W: usize = 160;
const H: usize = 120;

/// A street with a little fixed grain.
fn street() -> Vec<u8> {
    (0..W * H).map(|i| 100 + (i * 7919 % 5) as u8).collect()
}

fn square(picture: &mut [u8], x: usize, y: usize, side: usize, level: u8) {
    for row in y..(y + side).min(H) {
        for column in x..(x + side).min(W) {
            // Some texture, so that it can be followed.
            picture[row * W + column] = level + ((row - y) / 3 * 5 + (column - x) / 3 * 3) as u8;
        }
    }
}

fn frame(data: &[u8], number: u64) -> LumaFrame<'_> {
    let time = EventTime(number as i64 * 40_000_000);
    LumaFrame { data, stride: W, width: W, height: H, time, number, reduced: None }
}

/// Detector and tracker together, as a camera runs them.
struct Chain {
    detector: MotionDetector,
    tracker: Tracker,
    tracks: Vec<Track>,
    found: Vec<Detection>,
    number: u64,
}

impl Chain {
    fn new() -> Self {
        Self {
            detector: MotionDetector::new(MotionConfig::default(), W, H, None),
            tracker: Tracker::new(TrackerParams::motion()).unwrap(),
            tracks: Vec::new(),
            found: Vec::new(),
            number: 0,
        }
    }

    fn see(&mut self, data: &[u8]) -> &[Track] {
        let frame = frame(data, self.number);
        self.detector.detect(&frame, &self.tracks, &mut self.found);
        self.tracks = self.tracker.update(frame.time, &self.found).to_vec();
        self.number += 1;
        &self.tracks
    }
}

#[test]
fn an_empty_street_is_empty() {
    let mut chain = Chain::new();
    for _ in 0..50 {
        assert!(chain.see(&street()).is_empty());
    }
}

#[test]
fn a_moving_square_is_one_track_with_its_foot_on_its_lower_edge() {
    let mut chain = Chain::new();
    chain.see(&street());
    let mut ids = Vec::new();
    for i in 0..50 {
        let mut picture = street();
        square(&mut picture, 20 + 2 * i, 40 + i, 16, 170);
        let tracks = chain.see(&picture).to_vec();
        if i > 15 {
            assert_eq!(tracks.len(), 1, "frame {i}");
            let (b, foot) = (tracks[0].bbox, (40 + i + 16) as f32 / H as f32);
            assert!((b.y2 - foot).abs() < 2.0 / H as f32, "frame {i}: foot {} expected {foot}", b.y2);
            let middle = (20 + 2 * i + 8) as f32 / W as f32;
            assert!((0.5 * (b.x1 + b.x2) - middle).abs() < 2.0 / W as f32, "frame {i}");
            ids.push(tracks[0].id);
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
}

#[test]
fn a_light_jacket_beside_a_marking_is_seen_and_half_a_pixel_of_shake_is_not() {
    let mut street = Plane::new(12, 12, 100);
    (0..12).for_each(|y| street.row_mut(y)[6] = 190);
    let mut model = Background::new(&street, 10);
    let mut beside = |level: u8| {
        let (mut picture, mut labels) = (street.clone(), Mask::new(12, 12));
        (0..12).for_each(|y| picture.row_mut(y)[5] = level);
        model.classify(&picture, 1, &mut labels, pulp::Arch::new());
        [labels.set.is_set(5, 6), labels.settled.is_set(5, 6)]
    };
    assert_eq!(beside(145), [false, false]);
    assert_eq!(beside(165), [true, false]);
}

#[test]
fn another_exposure_is_no_traffic_and_becomes_the_street_when_it_stays() {
    let mut chain = Chain::new();
    chain.see(&street());
    let lighter: Vec<u8> = street().iter().map(|l| l + 40).collect();
    for i in 0..500 {
        let mut picture = lighter.clone();
        if i < 50 {
            square(&mut picture, 20 + 2 * i, 40, 16, 200);
        }
        let tracks = chain.see(&picture);
        assert!(tracks.len() == usize::from(i < 50) || i < 15 || (50..80).contains(&i), "frame {i}");
    }
    let street = chain.detector.street().unwrap();
    assert!(street.iter().zip(&lighter).all(|(a, b)| a.abs_diff(*b) <= 6), "the street has become lighter");
}

/// Frames of a square that drives in and stops.
fn driven_in(chain: &mut Chain) -> u32 {
    chain.see(&street());
    for i in 0..30 {
        let mut picture = street();
        square(&mut picture, 20 + 2 * i, 60, 16, 170);
        chain.see(&picture);
    }
    assert_eq!(chain.tracks.len(), 1);
    chain.tracks[0].id
}

#[test]
fn a_stopped_square_is_kept_while_it_stands() {
    let mut chain = Chain::new();
    let id = driven_in(&mut chain);
    let mut picture = street();
    square(&mut picture, 78, 60, 16, 170);
    for i in 0..1500 {
        let tracks = chain.see(&picture);
        assert_eq!(tracks.len(), 1, "frame {i} after the stop");
        assert_eq!(tracks[0].id, id);
    }
}

#[test]
fn a_square_that_leaves_its_place_in_the_first_picture_leaves_no_ghost() {
    let mut chain = Chain::new();
    let mut picture = street();
    square(&mut picture, 20, 40, 16, 170);
    chain.see(&picture);
    for i in 0..60 {
        let mut picture = street();
        square(&mut picture, 20 + 3 * i, 40, 16, 170);
        chain.see(&picture);
    }
    for _ in 0..100 {
        chain.see(&street());
    }
    assert_eq!(chain.tracks, []);
    let level = chain.detector.street().unwrap()[48 * W + 28];
    assert!((100..=104).contains(&level), "the street there has level {level}");
}

#[test]
fn two_squares_that_pass_keep_their_identities() {
    let mut chain = Chain::new();
    chain.see(&street());
    let at = |i: usize| [(10 + 2 * i, 40, 170), (130 - 2 * i, 52, 30)];
    let mut first = Vec::new();
    for i in 0..60 {
        let mut picture = street();
        for (x, y, level) in at(i) {
            square(&mut picture, x, y, 16, level);
        }
        let tracks = chain.see(&picture).to_vec();
        let near = |x: usize| {
            let x = (x + 8) as f32 / W as f32;
            tracks.iter().min_by(|a, b| {
                let off = |t: &Track| (0.5 * (t.bbox.x1 + t.bbox.x2) - x).abs();
                off(a).total_cmp(&off(b))
            })
        };
        let ids: Vec<u32> = at(i).iter().filter_map(|&(x, ..)| near(x)).map(|t| t.id).collect();
        if i == 20 {
            first = ids;
        } else if i == 55 {
            assert_eq!(ids, first);
        }
    }
}

#[test]
fn a_shadow_beside_a_vehicle_does_not_move_its_foot() {
    let mut chain = Chain::new();
    chain.see(&street());
    // Vehicles of all levels teach the ratio; every one casts a shadow below it.
    for i in 0..600 {
        let mut picture = street();
        let (x, level) = (i % 60 * 2 + 5, (30 + i / 60 * 47 % 170) as u8);
        for row in 76..84 {
            for column in x..x + 16 {
                picture[row * W + column] = (u32::from(picture[row * W + column]) * 62 / 100) as u8;
            }
        }
        square(&mut picture, x, 60, 16, level);
        chain.see(&picture);
    }
    assert_eq!(chain.tracks.len(), 1);
    let foot = chain.tracks[0].bbox.y2 * H as f32;
    assert!((foot - 76.0).abs() < 2.5, "foot at {foot}, expected 76");
}

#[test]
fn a_restored_detector_carries_on_alike() {
    let mut straight = Chain::new();
    driven_in(&mut straight);
    let bytes = straight.detector.snapshot();
    let mut resumed = MotionDetector::new(MotionConfig::default(), W, H, None);
    resumed.restore(&bytes).unwrap();
    assert_eq!(resumed.snapshot(), bytes);
    let mut found = Vec::new();
    for i in 0..40 {
        let mut picture = street();
        square(&mut picture, 78 - i, 60 + i / 2, 16, 170);
        resumed.detect(&frame(&picture, straight.number), &straight.tracks.clone(), &mut found);
        straight.see(&picture);
        assert_eq!(found, straight.found, "frame {i}");
    }
    assert_eq!(resumed.snapshot(), straight.detector.snapshot());
}

#[test]
fn foreign_snapshots_are_refused() {
    let mut detector = MotionDetector::new(MotionConfig::default(), W, H, None);
    let mut other = MotionDetector::new(MotionConfig::default(), 64, 48, None);
    let mut found = Vec::new();
    detector.detect(&frame(&street(), 0), &[], &mut found);
    let bytes = detector.snapshot();
    assert!(other.restore(&bytes).is_err());
    assert!(detector.restore(&[]).is_err());
    assert!(detector.restore(&bytes[..bytes.len() / 2]).is_err());
    assert!(detector.restore(&[&[99], &bytes[1..]].concat()).is_err());
    assert_eq!(detector.snapshot(), bytes);
}

#[test]
fn a_frame_of_another_size_is_ignored() {
    let mut detector = MotionDetector::new(MotionConfig::default(), W, H, None);
    let mut found = Vec::new();
    let data = street();
    for (width, height, stride, bytes) in [(W, H + 1, W, W * H), (W, H, W - 1, W * H), (W, H, W, W * H - 1)] {
        let frame = LumaFrame {
            data: &data[..bytes],
            stride,
            width,
            height,
            time: EventTime(0),
            number: 0,
            reduced: None,
        };
        detector.detect(&frame, &[], &mut found);
        assert_eq!(found, []);
    }
    assert!(detector.street().is_none());
}

/// A camera six metres up that looks along a straight road.
fn calibration() -> Homography {
    let image = [(0.3, 0.9), (0.7, 0.9), (0.55, 0.4), (0.45, 0.4)];
    let ground = [(-3.0, 10.0), (3.0, 10.0), (3.0, 40.0), (-3.0, 40.0)];
    let point = |&(x, y): &(f64, f64)| Point { x, y };
    Homography::fit(&image.each_ref().map(point), &ground.each_ref().map(point)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_content_or_size_panics(
        (width, height, pad) in (1usize..70, 1usize..40, 0usize..9),
        seed in any::<u64>(),
        calibrated in any::<bool>(),
        steps in proptest::collection::vec(0i64..400_000_000, 1..12),
        boxes in proptest::collection::vec((-1f32..2.0, -1f32..2.0, -0.5f32..1.5, -0.5f32..1.5), 0..4),
    ) {
        let ground = calibrated.then(calibration);
        let config = MotionConfig { analysis_width: 16, ..MotionConfig::default() };
        let mut detectors = [(); 2].map(|()| MotionDetector::new(config.clone(), width, height, ground));
        let tracks: Vec<Track> = boxes.iter().enumerate().map(|(i, &(x1, y1, w, h))| Track {
            id: i as u32, bbox: BoxF { x1, y1, x2: x1 + w, y2: y1 + h }, score: 1.0,
            class: VehicleClass::Car, flags: 0 }).collect();
        let (mut found, mut again, mut random, mut time) = (Vec::new(), Vec::new(), seed | 1, 0);
        for (number, step) in steps.iter().enumerate() {
            let data: Vec<u8> = (0..(width + pad) * height).map(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (random >> 56) as u8
            }).collect();
            time += step;
            let frame = LumaFrame { data: &data, stride: width + pad, width, height,
                time: EventTime(time), number: number as u64, reduced: None };
            let [a, b] = &mut detectors;
            a.detect(&frame, &tracks, &mut found);
            b.detect(&frame, &tracks, &mut again);
            prop_assert_eq!(&found, &again);
            prop_assert!(found.iter().all(|d| d.bbox.is_valid() && (0.0..=1.0).contains(&d.score)));
        }
    }

    #[test]
    fn foreign_bytes_are_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut detector = MotionDetector::new(MotionConfig::default(), 17, 3, None);
        let _ = detector.restore(&bytes);
        let _ = detector.restore(&[&[SNAPSHOT_VERSION], &bytes[..]].concat());
    }
}

mod explaining {
    //! Regions cut by the size of road users.

    use super::*;
    use crate::motion::blobs::Components;
    use crate::motion::camera::{Camera, Rect};
    use crate::motion::mask::Mask;
    use crate::motion::mask::label;
    use crate::motion::places::Places;
    use crate::motion::plane::Plane;
    use crate::motion::revise::{mark_firm, revise};
    use crate::motion::sizes::{KINDS, Sizes};
    use crate::motion::targets::Target;
    use crate::motion::vehicles::{Explainer, Found, Hidden, Scene};

    const W: usize = 320;
    const H: usize = 240;
    const NOW: EventTime = EventTime(1_000_000_000);

    fn sizes() -> (Camera, Sizes) {
        let camera = Camera::new(&calibration(), W, H).unwrap();
        let sizes = Sizes::of(&camera, W, H);
        (camera, sizes)
    }

    /// The box of one of `KINDS`, driving along, with its foot at `(x, y)`.
    fn standing(sizes: &Sizes, kind: usize, x: f32, y: f32) -> Rect {
        let (w, h) = sizes.at(x, y).unwrap()[kind][0];
        Rect { x1: x - 0.5 * w, y1: y - h, x2: x + 0.5 * w, y2: y }
    }

    fn paint(mask: &mut Plane, rect: &Rect, pixel: u8) {
        let (xs, ys) = rect.pixels(mask.width, mask.height);
        ys.for_each(|y| mask.row_mut(y)[xs.clone()].fill(pixel));
    }

    fn explain(mask: &Plane, hidden: Option<(&Plane, Hidden)>, sizes: &Sizes) -> Vec<Found> {
        let (mut components, mut found) = (Components::default(), Vec::new());
        let mask = Mask::from(mask.clone());
        components.find(&mask);
        let scene = Scene {
            components: &components,
            mask: &mask,
            hidden,
            sizes: Some(sizes),
            about: None,
            min_moving: 0.3,
            kinds: &KINDS,
        };
        Explainer::default().explain(&scene, &mut found);
        found
    }

    fn has(found: &[Found], rect: &Rect) -> bool {
        found.iter().any(|f| f.rect.iou(rect) > 0.6)
    }

    #[test]
    fn sizes_between_the_corners_of_the_table_are_those_of_the_camera() {
        let (camera, sizes) = sizes();
        for (x, y) in [(0.0, 120.5), (163.0, 101.0), (319.0, 239.0), (77.7, 180.2)] {
            let (stand, boxes) = (camera.stand(x, y).unwrap(), sizes.at(x, y).unwrap());
            for (kind, pair) in KINDS.iter().zip(boxes) {
                for (along, (w, h)) in [true, false].into_iter().zip(pair) {
                    let (exact_w, exact_h) = stand.box_of(kind.size_m, along).unwrap();
                    assert!((w / exact_w - 1.0).abs() < 0.03, "{:?} at {x},{y}: {w} {exact_w}", kind.class);
                    assert!((h / exact_h - 1.0).abs() < 0.03, "{:?} at {x},{y}: {h} {exact_h}", kind.class);
                }
            }
        }
        assert!(sizes.at(100.0, 0.0).is_none(), "above the horizon nobody stands");
    }

    #[test]
    fn riders_in_front_of_a_standing_queue_are_found_through_their_shadows() {
        let (_, sizes) = sizes();
        let mut mask = Plane::new(W, H, label::STREET);
        // Thirty who stand, and the shadows that join them to whoever comes.
        paint(&mut mask, &Rect { x1: 40.0, y1: 118.0, x2: 43.0, y2: 210.0 }, label::SHADOW);
        paint(&mut mask, &Rect { x1: 40.0, y1: 207.0, x2: 230.0, y2: 210.0 }, label::SHADOW);
        for y in [120.0, 142.0, 166.0] {
            paint(&mut mask, &Rect { x1: 40.0, y1: y - 2.0, x2: 300.0, y2: y }, label::SHADOW);
            for place in 0..10 {
                paint(&mut mask, &standing(&sizes, 4, 55.0 + 26.0 * place as f32, y), label::SETTLED);
            }
        }
        let riders = [110.0, 160.0, 210.0].map(|x| standing(&sizes, 0, x, 210.0));
        for rider in &riders {
            paint(&mut mask, rider, label::MOVING);
        }
        let found = explain(&mask, None, &sizes);
        assert!(riders.iter().all(|rider| has(&found, rider)), "{found:?}");
    }

    #[test]
    fn the_rim_of_a_shadow_below_a_rider_is_not_its_foot() {
        let (_, sizes) = sizes();
        let mut mask = Plane::new(W, H, label::STREET);
        let rider = standing(&sizes, 0, 160.0, 180.0);
        let beyond = Rect { x1: rider.x1 - 8.0, y1: 170.0, x2: rider.x2 + 8.0, y2: 205.0 };
        paint(&mut mask, &beyond, label::SHADOW);
        paint(&mut mask, &Rect { y1: 203.0, ..beyond }, label::MOVING);
        paint(&mut mask, &rider, label::MOVING);
        let found = explain(&mask, None, &sizes);
        assert!(has(&found, &rider), "{found:?}");
    }

    #[test]
    fn what_is_known_explains_nobody_else() {
        let (_, sizes) = sizes();
        let (mut mask, mut known) = (Plane::new(W, H, label::STREET), Places::new(W, H));
        let cars = [120.0, 200.0].map(|x| standing(&sizes, 1, x, 190.0));
        for car in &cars {
            paint(&mut mask, car, label::MOVING);
        }
        let targets = [Target::new(cars[0], NOW)];
        mark_firm(&targets, &sizes, NOW, &mut known);
        let found = explain(&mask, Some((&known.plane, Hidden::Known)), &sizes);
        assert!(!has(&found, &cars[0]) && has(&found, &cars[1]), "{found:?}");
    }

    /// The class of an outline that is `share` as wide and high as one of `KINDS` driving along, after a second at
    /// `mps` towards the camera.
    fn class_of(kind: usize, share: (f32, f32), mps: f64) -> VehicleClass {
        let (camera, sizes) = sizes();
        let whole = standing(&sizes, kind, 160.0, 190.0);
        let (w, h) = (share.0 * whole.width(), share.1 * whole.height());
        let mut target =
            Target::new(Rect { x1: 160.0 - 0.5 * w, y1: 190.0 - h, x2: 160.0 + 0.5 * w, y2: 190.0 }, NOW);
        let (here, nearer) = (camera.ground(160.0, 190.0).unwrap(), camera.ground(160.0, 191.0).unwrap());
        let way = nearer - here;
        let (x, y) = camera.project(here + way.scale(mps / way.length()), 0.0).unwrap();
        target.velocity = Some((x - 160.0, y - 190.0));
        for _ in 0..25 {
            target.judge_way(&camera, 0.04);
        }
        sizes.class(&target.rect, target.along, target.is_fast())
    }

    #[test]
    fn a_car_from_in_front_is_no_motorcycle_from_the_side() {
        let seen = (0.9, 0.7);
        assert_eq!(class_of(1, seen, 0.0), VehicleClass::Motorcycle, "nothing tells how it stands");
        assert_eq!(class_of(1, seen, 8.0), VehicleClass::Car);
    }

    #[test]
    fn a_slender_outline_that_nobody_on_foot_keeps_up_with_is_a_rider() {
        let seen = (0.67, 0.83);
        assert_eq!(class_of(0, seen, 1.7), VehicleClass::Pedestrian);
        assert_eq!(class_of(0, seen, 8.0), VehicleClass::Motorcycle);
    }

    /// The targets after as many revisions as it takes.
    fn revised(targets: &mut [Target], whole: &Rect, sizes: &Sizes) {
        let found = [Found { rect: *whole, class: VehicleClass::Car, score: 0.9 }];
        for _ in 0..3 {
            revise(targets, &found, sizes, NOW);
        }
    }

    #[test]
    fn the_roof_of_a_car_becomes_the_car_and_its_other_parts_go() {
        let (_, sizes) = sizes();
        let car = standing(&sizes, 1, 160.0, 190.0);
        let roof = Rect { y2: car.y1 + 0.12 * car.height(), ..car };
        let door = Rect { x1: car.x1 + 2.0, x2: car.x1 + 8.0, y1: car.y1 + 4.0, y2: car.y2 - 12.0 };
        let mut targets = [Target::new(roof, NOW), Target::new(door, NOW)];
        revised(&mut targets, &car, &sizes);
        assert_eq!(targets[0].rect, car);
        assert_eq!(targets[0].id, 0, "its track was about something else");
        assert_eq!(targets[0].seen, NOW);
        revised(&mut targets, &car, &sizes);
        assert!(targets[0].seen == NOW && targets[1].seen != NOW);
    }

    #[test]
    fn who_stands_beside_or_in_front_of_a_vehicle_is_no_part_of_it() {
        let (_, sizes) = sizes();
        let car = standing(&sizes, 1, 160.0, 190.0);
        let rider = standing(&sizes, 0, 160.0, 189.0);
        let mut targets = [Target::new(rider, NOW)];
        revised(&mut targets, &car, &sizes);
        assert!(targets[0].seen == NOW && targets[0].rect == rider);
    }
}

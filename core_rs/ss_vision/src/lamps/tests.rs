use proptest::prelude::*;

use super::look::tests::{AMBER, GREEN, RED, SIZE, Scene, head, scene};
use super::*;
use SignalState::{Amber, Dark, FlashingAmber, Green, Red, Unknown};

const FPS: i64 = 25;
const FRAME_NS: i64 = 1_000_000_000 / FPS;

fn lamps(lit: char) -> Scene {
    let road = [110.0, 110.0, 112.0];
    scene(
        match lit {
            'r' => [Some(RED), None, None],
            'a' => [None, Some(AMBER), None],
            'g' => [None, None, Some(GREEN)],
            'b' => [Some(RED), None, Some(GREEN)],
            'v' => return scene([Some([170.0; 3]); 3], [170.0; 3]), // a van in front of it
            _ => [None; 3],
        },
        road,
    )
}

/// What is found when the head shows each letter for so many seconds.
fn watch(reader: &mut LampReader, story: &[(char, f64)], hide: impl Fn(i64) -> bool) -> Vec<LampChange> {
    let (mut n, mut found) = (0i64, Vec::new());
    for (lit, seconds) in story {
        let (shown, unlit) = (lamps(*lit), lamps('-'));
        for _ in 0..(seconds * FPS as f64).round() as i64 {
            let picture = if hide(n) { &unlit } else { &shown };
            reader.see(&picture.frame(n * FRAME_NS), Some(&picture.chroma()), false);
            let (changes, _) = reader.take();
            assert!(changes.iter().all(|c| c.after <= c.since), "{changes:?}");
            found.extend(changes);
            n += 1;
        }
    }
    found
}

fn told(found: &[LampChange]) -> Vec<(SignalState, f64, f64)> {
    let seconds = |t: EventTime| (t.0 as f64 * 1e-7).round() / 100.0;
    found.iter().map(|c| (c.state, seconds(c.after), seconds(c.since))).collect()
}

fn reader() -> LampReader {
    LampReader::new(&[head()]).unwrap()
}

const CYCLE: [(char, f64); 4] = [('r', 4.0), ('g', 4.0), ('a', 3.0), ('r', 3.0)];

#[test]
fn a_change_lies_between_the_last_picture_before_it_and_the_first_after() {
    let found = watch(&mut reader(), &CYCLE, |_| false);
    assert_eq!(told(&found), [(Red, 0.0, 0.0), (Green, 3.96, 4.0), (Amber, 7.96, 8.0), (Red, 10.96, 11.0)]);
    assert!(found.iter().all(|c| c.confidence > 0.9), "{found:?}");
}

#[test]
fn a_lamp_that_pulses_is_lit_and_its_interval_is_as_wide_as_the_pictures_leave_it() {
    // Dark in 2 of 5 pictures, and once for 0.3 s.
    let found = watch(&mut reader(), &CYCLE, |n| n % 5 == 1 || n % 5 == 2 || (30..38).contains(&n));
    let states: Vec<_> = found.iter().map(|c| c.state).collect();
    assert_eq!(states, [Red, Green, Amber, Red]);
    for (change, at_s) in found.iter().zip([0.0, 4.0, 8.0, 11.0]) {
        let (after, since) = (change.after.0 as f64 * 1e-9, change.since.0 as f64 * 1e-9);
        assert!(after <= at_s && at_s <= since && since - after <= 0.16, "{change:?}");
        assert!((0.4..0.8).contains(&change.confidence), "{change:?}");
    }
}

#[test]
fn one_noisy_picture_changes_nothing() {
    for noise in ['g', 'a', 'b', '-', 'v'] {
        let found = watch(&mut reader(), &[('r', 2.0), (noise, 0.04), ('r', 2.0)], |_| false);
        assert_eq!(told(&found), [(Red, 0.0, 0.0)], "{noise}");
    }
}

#[test]
fn amber_that_goes_on_and_off_flashes_and_was_never_steady() {
    let mut story = vec![('r', 2.0)];
    story.extend([('a', 0.52), ('-', 0.48)].repeat(4));
    story.push(('g', 2.0));
    assert_eq!(
        told(&watch(&mut reader(), &story, |_| false)).iter().map(|c| (c.0, c.2)).collect::<Vec<_>>(),
        [(Red, 0.0), (FlashingAmber, 2.0), (Green, 6.0)]
    );
    // A steady amber first, then the night's flashing.
    let mut story = vec![('a', 3.0)];
    story.extend([('-', 0.5), ('a', 0.5)].repeat(3));
    story.extend([('-', 3.0)]);
    let found: Vec<_> = watch(&mut reader(), &story, |_| false).iter().map(|c| c.state).collect();
    assert_eq!(found, [Amber, FlashingAmber, Dark]);
}

#[test]
fn a_short_amber_before_red_was_one() {
    let found = watch(&mut reader(), &[('g', 2.0), ('a', 0.6), ('r', 2.0)], |_| false);
    assert_eq!(told(&found), [(Green, 0.0, 0.0), (Amber, 1.96, 2.0), (Red, 2.56, 2.6)]);
}

#[test]
fn no_lamp_is_dark_and_something_in_front_of_it_is_unknown() {
    let story = [('r', 2.0), ('g', 2.0), ('-', 2.0), ('g', 2.0), ('v', 2.0), ('r', 1.0)];
    let found = watch(&mut reader(), &story, |_| false);
    assert_eq!(
        told(&found).iter().map(|c| (c.0, c.2)).collect::<Vec<_>>(),
        [(Red, 0.0), (Green, 2.0), (Dark, 4.0), (Green, 6.0), (Unknown, 8.0), (Red, 10.0)]
    );
}

#[test]
fn a_hidden_lamp_makes_nothing_lit_unknown() {
    let hidden = HeadConfig { lamps: vec![Lamp::Red, Lamp::Hidden, Lamp::Green], ..head() };
    let found = watch(&mut LampReader::new(&[hidden]).unwrap(), &CYCLE[1..], |_| false);
    assert_eq!(told(&found), [(Green, 0.0, 0.0), (Unknown, 3.96, 4.0), (Red, 6.96, 7.0)]);
}

#[test]
fn a_green_arrow_beside_a_red_ball() {
    let square = |top: f64| vec![[0.35, top], [0.65, top], [0.65, top + 0.2], [0.35, top + 0.2]];
    let ball = HeadConfig {
        polygon: square(0.2),
        lamps: vec![Lamp::Red],
        groups: vec!["S".into(), "R".into()],
        ..head()
    };
    let arrow = HeadConfig {
        polygon: square(0.6),
        lamps: vec![Lamp::Green],
        groups: vec!["R".into()],
        arrow: true,
        ..head()
    };
    let mut reader = LampReader::new(&[ball, arrow]).unwrap();
    // At last a van before the arrow: who may go by it is not known.
    let story = [('r', 2.0), ('b', 3.0), ('r', 3.0), ('b', 2.0), ('v', 2.0)];
    let found = watch(&mut reader, &story, |n| n % 4 == 0);
    let of = |name: &str| found.iter().filter(|c| c.group == name).map(|c| c.state).collect::<Vec<_>>();
    assert_eq!((of("S"), of("R")), (vec![Red, Unknown], vec![Red, Green, Red, Green, Unknown]));
}

#[test]
fn two_heads_of_a_group_change_together_or_are_not_believed() {
    let near = head();
    let far = HeadConfig { zone: "far".into(), ..head() };
    let mut reader = LampReader::new(&[near, far]).unwrap();
    assert_eq!(told(&watch(&mut reader, &CYCLE, |_| false)).len(), 4);

    let broken = HeadConfig { lamps: vec![Lamp::Red, Lamp::Hidden, Lamp::Hidden], ..head() };
    let ambers = HeadConfig {
        polygon: vec![[0.35, 0.4], [0.65, 0.4], [0.65, 0.6], [0.35, 0.6]],
        lamps: vec![Lamp::Amber],
        ..head()
    };
    let mut reader = LampReader::new(&[broken, ambers]).unwrap();
    let both = scene([Some(RED), Some(AMBER), None], [110.0; 3]);
    let mut found = Vec::new();
    for n in 0..100 {
        reader.see(&both.frame(n * FRAME_NS), Some(&both.chroma()), false);
        found.extend(reader.take().0);
    }
    assert_eq!(found, []);
}

#[test]
fn without_colours_nothing_is_told_and_nobody_waits() {
    let (mut reader, picture) = (reader(), lamps('r'));
    for n in 0..50 {
        reader.see(&picture.frame(n * FRAME_NS), None, false);
        assert_eq!(reader.take(), (vec![], EventTime(n * FRAME_NS)));
    }
}

#[test]
fn when_nobody_looks_any_more_nothing_is_known_since_the_first_doubt() {
    let mut reader = reader();
    watch(&mut reader, &[('r', 2.0), ('-', 0.2)], |_| false);
    reader.stop(EventTime(3_000_000_000));
    let (found, settled) = reader.take();
    assert_eq!((told(&found), settled), (vec![(Unknown, 1.96, 2.0)], EventTime(3_000_000_000)));
}

#[test]
fn a_sample_outside_of_the_planes_is_no_crash() {
    let picture = lamps('r');
    let short = Chroma { planes: [&picture.cb[..40], &picture.cr[..40]], ..picture.chroma() };
    let mut reader = reader();
    reader.see(&LumaFrame { data: &picture.luma[..100], ..picture.frame(0) }, Some(&short), false);
    assert_eq!(SIZE, (40, 60));
}

proptest! {
    #[test]
    fn any_sequence_of_looks_gives_changes_in_order_and_a_stop_anywhere_changes_nothing(
        looks in proptest::collection::vec((proptest::sample::select(vec!['r', 'a', 'g', '-', 'b', 'v']), 1i64..9), 1..40),
        cut in 0usize..40,
    ) {
        let (mut straight, mut resumed) = (reader(), reader());
        let (mut one, mut two, mut time, mut settled_before) = (Vec::new(), Vec::new(), 0, EventTime::MIN);
        for (i, (lit, step)) in looks.iter().enumerate() {
            time += step * 50_000_000;
            let picture = lamps(*lit);
            straight.see(&picture.frame(time), Some(&picture.chroma()), false);
            resumed.see(&picture.frame(time), Some(&picture.chroma()), false);
            let (changes, settled) = straight.take();
            prop_assert!(settled >= settled_before && settled <= EventTime(time));
            prop_assert!(changes.iter().all(|c| c.since > settled_before && c.after <= c.since));
            prop_assert!(changes.iter().all(|c| (0.0..=1.0).contains(&c.confidence)));
            settled_before = settled;
            one.extend(changes);
            two.extend(resumed.take().0);
            if i == cut {
                let bytes = postcard::to_allocvec(&resumed.state()).unwrap();
                resumed = reader();
                resumed.restore(&postcard::from_bytes(&bytes).unwrap()).unwrap();
            }
        }
        prop_assert!(one.windows(2).all(|w| w[0].since < w[1].since && w[0].state != w[1].state));
        prop_assert_eq!(one, two);
    }
}

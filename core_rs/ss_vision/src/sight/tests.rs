use ss_model::EventTime;

use super::*;

const SIZE: (usize, usize) = (640, 360);

/// A street of blocks and lines with the noise of a sensor.
struct Street {
    seed: u32,
    walls: Vec<u8>,
}

impl Street {
    fn new(light: f32) -> Self {
        let mut walls = vec![0; SIZE.0 * SIZE.1];
        let mut seed = 7_u32;
        let mut random = |n: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) % n
        };
        walls.fill((90.0 * light) as u8);
        for _ in 0..120 {
            let (x, y) = (random(600) as usize, random(330) as usize);
            let (w, h) = (4 + random(60) as usize, 4 + random(40) as usize);
            let level = (f32::from(20 + random(200) as u16) * light) as u8;
            for row in y..(y + h).min(SIZE.1) {
                walls[row * SIZE.0..][x..(x + w).min(SIZE.0)].fill(level);
            }
        }
        Self { seed: 1, walls }
    }

    /// The picture as `of` changes each clean pixel (level, column, row), with noise of so many levels.
    fn picture(&mut self, noise: u32, of: impl Fn(&[u8], usize, usize) -> u8) -> Vec<u8> {
        let mut out = vec![0; self.walls.len()];
        for (i, out) in out.iter_mut().enumerate() {
            self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let level = i32::from(of(&self.walls, i % SIZE.0, i / SIZE.0));
            let noise = ((self.seed >> 8) % (2 * noise + 1)) as i32 - noise as i32;
            *out = (level + noise).clamp(0, 255) as u8;
        }
        out
    }
}

fn plain(walls: &[u8], x: usize, y: usize) -> u8 {
    walls[y * SIZE.0 + x]
}

/// `(second, what, opened)` of all changes while `scene` gives a picture a second.
fn watch(seconds: i64, mut scene: impl FnMut(i64) -> Vec<u8>) -> Vec<(i64, &'static str, bool)> {
    let (mut sight, mut told) = (Sight::default(), Vec::new());
    for second in 0..seconds {
        see(&mut sight, second, &scene(second), &mut told);
    }
    told.iter().map(|c| (c.since.0 / LOOK_NS, c.what, c.opened)).collect()
}

fn see(sight: &mut Sight, second: i64, data: &[u8], told: &mut Vec<SightChange>) {
    let time = EventTime(second * LOOK_NS);
    let (width, height) = SIZE;
    sight.see(
        &LumaFrame { data, stride: width, width, height, time, number: second as u64, reduced: None },
        told,
    );
}

/// Of `fault` from second 30 to 70: what was told, and that it was over soon after.
fn told_of(light: f32, fault: impl Fn(&[u8], usize, usize) -> u8) -> Option<&'static str> {
    let mut street = Street::new(light);
    let told = watch(90, |second| {
        if (30..70).contains(&second) { street.picture(3, &fault) } else { street.picture(3, plain) }
    });
    match told[..] {
        [] => None,
        [(since, what, true), (end, same, false)] => {
            assert!((23..=31).contains(&since) && (71..=82).contains(&end) && what == same, "{told:?}");
            Some(what)
        }
        _ => panic!("{told:?}"),
    }
}

fn blurred(walls: &[u8], x: usize, y: usize) -> u8 {
    let (xs, ys) = (x.saturating_sub(8)..(x + 9).min(SIZE.0), y.saturating_sub(8)..(y + 9).min(SIZE.1));
    let n = xs.len() * ys.len();
    let sum: usize =
        ys.map(|v| walls[v * SIZE.0..][xs.clone()].iter().map(|&p| usize::from(p)).sum::<usize>()).sum();
    (sum / n) as u8
}

#[test]
fn each_fault_is_told_by_its_name_and_is_over_when_it_is_over() {
    for light in [1.0, 0.3] {
        assert_eq!(told_of(light, |_, _, _| 6), Some("covered"));
        assert_eq!(told_of(light, |_, _, _| 255), Some("covered"));
        assert_eq!(told_of(light, blurred), Some("blurred"));
        let aside = |walls: &[u8], x: usize, y: usize| plain(walls, (x + 14) % SIZE.0, (y + 6) % SIZE.1);
        assert_eq!(told_of(light, aside), Some("moved"));
    }
}

#[test]
fn where_the_view_went_is_told() {
    let (mut street, mut sight, mut told) = (Street::new(1.0), Sight::default(), Vec::new());
    for second in 0..60 {
        let shift = if second < 30 { 0 } else { 64 };
        let picture = street.picture(3, |walls, x, y| plain(walls, (x + SIZE.0 - shift) % SIZE.0, y));
        see(&mut sight, second, &picture, &mut told);
    }
    let shift = told.first().and_then(|c| c.shift);
    assert!(shift.is_some_and(|(right, down)| (right - 100).abs() <= 5 && down.abs() <= 5), "{told:?}");
}

#[test]
fn something_else_for_a_minute_covers_the_street() {
    let (mut street, mut other) = (Street::new(1.0), Street::new(1.0));
    other.walls.reverse();
    let scene = |second: i64| if second < 30 { street.picture(3, plain) } else { other.picture(3, plain) };
    let told = watch(140, scene);
    assert!(matches!(told[..], [(23..=31, "covered", true)]), "{told:?}");
}

#[test]
fn what_passes_or_comes_with_weather_and_light_is_no_fault() {
    let bus = |second: i64| {
        // Comes, fills the picture for twelve seconds, and goes.
        let from = (second - 40) * 160;
        move |walls: &[u8], x: usize, y: usize| {
            let along = x as i64 - from.min(0) + (second - 56).max(0) * 160;
            let covers = (0..640).contains(&along) && second >= 40;
            if covers {
                if x % 90 < 60 && (60..160).contains(&y) { 30 } else { 200 }
            } else {
                plain(walls, x, y)
            }
        }
    };
    let mut street = Street::new(1.0);
    assert_eq!(watch(90, |second| street.picture(3, bus(second))), []);
    assert_eq!(watch(90, |second| street.picture(if second < 40 { 2 } else { 60 }, plain)), []);
    let flicker = |second: i64| if second % 7 < 3 { 1.25 } else { 0.8 };
    let lit =
        |light: f32| move |walls: &[u8], x: usize, y: usize| (f32::from(plain(walls, x, y)) * light) as u8;
    assert_eq!(watch(90, |second| street.picture(3, lit(flicker(second)))), []);
    // Dusk within a quarter of an hour.
    assert_eq!(watch(900, |second| street.picture(3, lit(1.0 - 0.85 * second as f32 / 900.0))), []);
}

#[test]
fn a_picture_that_stays_the_same_for_ten_seconds_is_frozen_until_it_moves() {
    let mut street = Street::new(1.0);
    let still = street.picture(3, plain);
    let told =
        watch(40, |second| if (5..20).contains(&second) { still.clone() } else { street.picture(3, plain) });
    assert_eq!(told, [(5, "frozen", true), (20, "frozen", false)]);
}

#[test]
fn a_stop_anywhere_changes_nothing() {
    let mut street = Street::new(1.0);
    let dark = |_: &[u8], _: usize, _: usize| 6;
    let pictures: Vec<Vec<u8>> = (0..90)
        .map(|s| if (30..70).contains(&s) { street.picture(3, dark) } else { street.picture(3, plain) })
        .collect();
    let run = |stop: i64| {
        let (mut sight, mut told) = (Sight::default(), Vec::new());
        for second in 0..90 {
            if second == stop {
                let bytes = postcard::to_stdvec(sight.state()).expect("plain values");
                sight = Sight::restore(postcard::from_bytes(&bytes).expect("just written"));
            }
            see(&mut sight, second, &pictures[second as usize], &mut told);
        }
        told
    };
    let straight = run(-1);
    assert_eq!(straight.len(), 2, "{straight:?}");
    assert!((0..90).step_by(7).all(|stop| run(stop) == straight));
}

#[test]
fn another_size_begins_anew_and_a_torn_frame_is_passed_over() {
    let (mut sight, mut told) = (Sight::default(), Vec::new());
    for (second, width) in [(0, 640), (1, 640), (2, 320), (3, 0), (4, 640)] {
        let data = vec![50; width * 360];
        let frame = LumaFrame {
            data: &data,
            stride: width,
            width,
            height: 360,
            time: EventTime(second * LOOK_NS),
            number: 0,
            reduced: None,
        };
        sight.see(&frame, &mut told);
    }
    let short = [0; 100];
    let time = EventTime(9 * LOOK_NS);
    sight.see(
        &LumaFrame { data: &short, stride: 640, width: 640, height: 360, time, number: 0, reduced: None },
        &mut told,
    );
    assert_eq!(told, []);
}

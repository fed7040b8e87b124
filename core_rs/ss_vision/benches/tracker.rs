//! Detections per second and core of the tracker, and where its time goes.
//!
//! `cargo bench -p ss_vision --bench tracker [-- --json FILE] [--objects N … | --det DET.txt …]`
//!
//! Made traffic by default: lanes of vehicles at a junction, detector noise,
//! gaps, weak and false detections, duplicates. With `--det`, MOT Challenge
//! detection files instead. Reports, for each stretch of ten frames, the fastest of
//! many passes, the usual estimator on a shared machine; shares come from passes of their own.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use ss_model::{BoxF, Detection, EventTime, VehicleClass};
use ss_vision::tracker::{Probe, Step, Tracker, TrackerParams};

const FRAMES: usize = 200;
const FRAME_NS: i64 = 40_000_000;
/// Frames timed together.
const STRETCH: usize = 10;
/// Long enough for every stretch to meet a quiet moment of a shared machine.
const LOOKING: Duration = Duration::from_millis(1500);

/// A small generator, so that the clip is the same everywhere (Steele et al. 2014, `SplitMix64`).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    }

    fn around(&mut self, spread: f32) -> f32 {
        spread * (self.next() + self.next() + self.next() - 1.5)
    }
}

/// About `objects` detections in each frame of a 1920×1080 picture.
fn made_traffic(objects: usize) -> Vec<Vec<Detection>> {
    let mut random = Random(objects as u64);
    let mut vehicles: Vec<[f32; 5]> = Vec::new(); // x, y, width, speed, lane
    // A fuller picture holds smaller vehicles, as a wider view does.
    let scale = (12.0 / objects as f32).sqrt().clamp(0.3, 1.0);
    let place = |random: &mut Random, x: f32| {
        let lane = (random.next() * 12.0).floor();
        let depth = 0.4 + 0.6 * lane / 12.0;
        let sign = if lane % 2.0 == 0.0 { 1.0 } else { -1.0 };
        [
            x,
            150.0 + 75.0 * lane,
            scale * depth * (90.0 + 110.0 * random.next()),
            sign * depth * (2.0 + 8.0 * random.next()),
            lane,
        ]
    };
    for _ in 0..objects {
        let x = random.next() * 1920.0;
        let vehicle = place(&mut random, x);
        vehicles.push(vehicle);
    }
    (0..FRAMES)
        .map(|_| {
            let mut seen = Vec::new();
            for v in &mut vehicles {
                v[0] += v[3] + random.around(0.5);
                if !(-100.0..2020.0).contains(&v[0]) {
                    *v = place(&mut random, if v[3] < 0.0 { -90.0 } else { 2010.0 });
                    v[3] = if v[0] < 0.0 { v[3].abs() } else { -v[3].abs() };
                }
                let (w, h) = (v[2] * (1.0 + random.around(0.04)), v[2] * 0.7 * (1.0 + random.around(0.04)));
                let (x, y) = (v[0] + random.around(0.04 * w), v[1] + random.around(0.04 * h));
                let score = match random.next() {
                    p if p < 0.04 => continue, // missed
                    p if p < 0.14 => 0.15 + 0.2 * random.next(),
                    _ => 0.65 + 0.34 * random.next(),
                };
                let bbox = BoxF { x1: x - w / 2.0, y1: y - h, x2: x + w / 2.0, y2: y };
                seen.push(Detection { bbox, score, class: VehicleClass::Car, flags: 0 });
                if random.next() < 0.04 {
                    let twin = BoxF { x1: bbox.x1 + 0.04 * w, x2: bbox.x2 + 0.04 * w, ..bbox };
                    seen.push(Detection { bbox: twin, score: 0.5, class: VehicleClass::Truck, flags: 0 });
                }
            }
            seen
        })
        .collect()
}

/// Frames of a MOT Challenge detection file.
fn recorded(path: &str) -> Vec<Vec<Detection>> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut frames: Vec<Vec<Detection>> = Vec::new();
    for line in text.lines() {
        let v: Vec<f32> = line.split(',').filter_map(|f| f.trim().parse().ok()).collect();
        let &[frame, _, x1, y1, w, h, score, ..] = &v[..] else { continue };
        if frames.len() <= frame as usize {
            frames.resize(frame as usize + 1, Vec::new());
        }
        let bbox = BoxF { x1, y1, x2: x1 + w, y2: y1 + h };
        frames[frame as usize].push(Detection { bbox, score, class: VehicleClass::Car, flags: 0 });
    }
    frames
}

#[derive(Default)]
struct Stopwatch {
    last: Option<Instant>,
    spent: [Duration; Step::ALL.len()],
}

impl Probe for Stopwatch {
    fn begin(&mut self) {
        self.last = Some(Instant::now());
    }

    fn end(&mut self, step: Step) {
        let now = Instant::now();
        if let Some(last) = self.last.replace(now) {
            self.spent[step as usize] += now - last;
        }
    }
}

/// Least times of one stretch of frames, of many passes.
#[derive(Clone, Copy)]
struct Least {
    whole: Duration,
    steps: [Duration; Step::ALL.len()],
}

/// One pass over the clip with a fresh tracker. Gives the rows.
fn pass(frames: &[Vec<Detection>], timed_steps: bool, least: &mut [Least]) -> usize {
    let mut tracker = Tracker::new(TrackerParams::vehicle()).unwrap_or_else(|e| panic!("{e}"));
    let mut rows = 0;
    for (n, stretch) in frames.chunks(STRETCH).enumerate() {
        let frames = (n * STRETCH..).map(|i| EventTime(i as i64 * FRAME_NS)).zip(stretch);
        if timed_steps {
            let mut watch = Stopwatch::default();
            for (time, seen) in frames {
                rows += black_box(tracker.update_probed(time, seen, &mut watch)).len();
            }
            for (least, spent) in least[n].steps.iter_mut().zip(watch.spent) {
                *least = spent.min(*least);
            }
        } else {
            let begin = Instant::now();
            for (time, seen) in frames {
                rows += black_box(tracker.update(time, seen)).len();
            }
            least[n].whole = least[n].whole.min(begin.elapsed());
        }
    }
    rows
}

fn measure(name: &str, frames: &[Vec<Detection>], json: &mut Vec<String>) {
    let detections: usize = frames.iter().map(Vec::len).sum();
    let never = Least { whole: Duration::MAX, steps: [Duration::MAX; Step::ALL.len()] };
    let mut least = vec![never; frames.len().div_ceil(STRETCH)];
    let (begin, mut rows, mut passes) = (Instant::now(), 0, 0);
    while begin.elapsed() < LOOKING || passes < 8 {
        passes += 1;
        rows = pass(frames, passes % 4 == 0, &mut least);
    }
    let fastest: Duration = least.iter().map(|l| l.whole).sum();
    let spent = Step::ALL.map(|step| least.iter().map(|l| l.steps[step as usize]).sum::<Duration>());
    let all: Duration = spent.iter().sum();
    let ns = fastest.as_nanos() as f64 / frames.len() as f64;
    let per_second = detections as f64 / fastest.as_secs_f64();
    let mut line = format!(
        "{name:>12} {:>8.1} {:>8.1} {ns:>10.0} {:>8.2}  ",
        detections as f64 / frames.len() as f64,
        rows as f64 / frames.len() as f64,
        per_second / 1e6,
    );
    let mut shares = String::new();
    for step in Step::ALL {
        let share = spent[step as usize].as_secs_f64() / all.as_secs_f64();
        let _ = write!(line, "{:>8.0}%", 100.0 * share);
        let _ = write!(
            shares,
            "{}\"{}\": {share:.3}",
            if shares.is_empty() { "" } else { ", " },
            format!("{step:?}").to_lowercase()
        );
    }
    println!("{line}");
    json.push(format!(
        "{{\"input\": \"{name}\", \"detections_per_frame\": {:.2}, \"ns_per_frame\": {ns:.0}, \"detections_per_s\": {per_second:.0}, \"share\": {{{shares}}}}}",
        detections as f64 / frames.len() as f64
    ));
}

fn main() {
    let (mut files, mut output, mut taking, mut sizes) = (Vec::new(), None, "", vec![5, 10, 25, 50, 200]);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    for argument in &arguments {
        match argument.as_str() {
            "--det" => taking = "det",
            "--json" => taking = "json",
            "--objects" => (taking, sizes) = ("objects", Vec::new()),
            n if taking == "objects" => sizes.extend(n.parse::<usize>()),
            path if taking == "det" => files.push(path),
            path if taking == "json" => output = Some(path),
            _ => {} // `--bench`, from cargo
        }
    }
    println!(
        "{:>12} {:>8} {:>8} {:>10} {:>8}  {:>9}{:>9}{:>9}{:>9}{:>9}",
        "input", "det", "tracks", "ns/frame", "M det/s", "take", "predict", "pair", "assign", "correct"
    );
    let mut json = Vec::new();
    if files.is_empty() {
        for objects in sizes {
            measure(&objects.to_string(), &made_traffic(objects), &mut json);
        }
    }
    for path in files {
        let name = std::path::Path::new(path).parent().and_then(|p| p.file_name()).unwrap_or_default();
        measure(&name.to_string_lossy(), &recorded(path), &mut json);
    }
    if let Some(path) = output {
        let text = format!("[\n  {}\n]\n", json.join(",\n  "));
        std::fs::write(path, text).unwrap_or_else(|e| panic!("{path}: {e}"));
    }
}

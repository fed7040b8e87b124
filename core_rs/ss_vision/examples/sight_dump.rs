//! What a raw gray video on standard input does to the view of its camera: every change, and with a fourth argument
//! what each look was judged by.
//!
//! ```sh
//! ffmpeg -v error -i clip.mp4 -vf extractplanes=y -f rawvideo - |
//!     cargo run --release -p ss_vision --example sight_dump -- 1280 720 25 [all]
//! ```

use std::io::Read;

use ss_model::{EventTime, LumaFrame};
use ss_vision::sight::{Measures, Sight};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let mut number = || args.next().ok_or("usage: sight_dump WIDTH HEIGHT FPS [all]");
    let (width, height, fps): (usize, usize, f64) =
        (number()?.parse()?, number()?.parse()?, number()?.parse()?);
    let all = args.next().is_some();
    let (mut sight, mut told, mut input) = (Sight::default(), Vec::new(), std::io::stdin().lock());
    let (mut data, mut n, mut before) = (vec![0; width * height], 0, Measures::default());
    let mut spent = std::time::Duration::ZERO;
    while input.read_exact(&mut data).is_ok() {
        let time = EventTime(0).plus_seconds(n as f64 / fps);
        let begun = std::time::Instant::now();
        sight.see(
            &LumaFrame { data: &data, stride: width, width, height, time, number: n, reduced: None },
            &mut told,
        );
        spent += begun.elapsed();
        for change in told.drain(..) {
            println!("{:.2} {change:?}", n as f64 / fps);
        }
        if all && sight.measures() != before {
            before = sight.measures();
            println!("{:.2} {before:?}", n as f64 / fps);
        }
        n += 1;
    }
    println!("{n} frames, {:.4} ms a frame", spent.as_secs_f64() * 1e3 / n as f64);
    Ok(())
}

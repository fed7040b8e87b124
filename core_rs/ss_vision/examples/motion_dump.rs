//! Detections of a raw gray video on standard input, one line each:
//! `frame x1 y1 x2 y2 score class flags`, boxes normalised.
//!
//! ```sh
//! ffmpeg -v error -i clip.mp4 -f rawvideo -pix_fmt gray - |
//!     cargo run --release -p ss_vision --example motion_dump -- 1280 720 25 [x,y,X,Y …]
//! ```
//! Each `x,y,X,Y` is a calibration pair: normalised picture point and metres.

use std::io::{Read, Write};

use ss_model::{EventTime, Homography, LumaFrame, Point, Track};
use ss_vision::motion::{MotionConfig, MotionDetector};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let mut number = || args.next().ok_or("usage: motion_dump WIDTH HEIGHT FPS [x,y,X,Y …]");
    let (width, height, fps): (usize, usize, f64) =
        (number()?.parse()?, number()?.parse()?, number()?.parse()?);
    let (mut image, mut ground) = (Vec::new(), Vec::new());
    for pair in args {
        let v = pair.split(',').map(str::parse).collect::<Result<Vec<f64>, _>>()?;
        let [x, y, gx, gy] = v[..] else { return Err(format!("{pair}: expected x,y,X,Y").into()) };
        image.push(Point { x, y });
        ground.push(Point { x: gx, y: gy });
    }
    let calibration = (!image.is_empty()).then(|| Homography::fit(&image, &ground)).transpose()?;
    let mut detector = MotionDetector::new(MotionConfig::default(), width, height, calibration);
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let (mut data, mut found, tracks) = (vec![0; width * height], Vec::new(), Vec::<Track>::new());
    let mut n = 0;
    while input.read_exact(&mut data).is_ok() {
        let time = EventTime(0).plus_seconds(n as f64 / fps);
        let frame = LumaFrame { data: &data, stride: width, width, height, time, number: n };
        detector.detect(&frame, &tracks, &mut found);
        for d in &found {
            let b = d.bbox;
            writeln!(
                output,
                "{n} {} {} {} {} {} {} {}",
                b.x1,
                b.y1,
                b.x2,
                b.y2,
                d.score,
                d.class.name(),
                d.flags
            )?;
        }
        n += 1;
    }
    Ok(())
}

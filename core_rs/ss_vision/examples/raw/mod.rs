//! What the examples are told: a raw gray video on standard input, and its calibration.

use ss_model::{Homography, Point};

/// Of a video: picture size in pixels, frames per second, and the ground from the picture if it is known.
pub struct Raw {
    pub width: usize,
    pub height: usize,
    pub fps: f64,
    pub calibration: Option<Homography>,
}

impl Raw {
    /// From `WIDTH HEIGHT FPS [x,y,X,Y …]`: each pair is a normalised picture point and metres.
    ///
    /// # Errors
    /// What is missing, no number, or no calibration.
    pub fn from_args() -> Result<Self, Box<dyn std::error::Error>> {
        let mut args = std::env::args().skip(1);
        let mut number = || args.next().ok_or("usage: WIDTH HEIGHT FPS [x,y,X,Y …] < RAW");
        let (width, height, fps) = (number()?.parse()?, number()?.parse()?, number()?.parse()?);
        let (mut image, mut ground) = (Vec::new(), Vec::new());
        for pair in args {
            let v = pair.split(',').map(str::parse).collect::<Result<Vec<f64>, _>>()?;
            let [x, y, gx, gy] = v[..] else { return Err(format!("{pair}: expected x,y,X,Y").into()) };
            image.push(Point { x, y });
            ground.push(Point { x: gx, y: gy });
        }
        let calibration = (!image.is_empty()).then(|| Homography::fit(&image, &ground)).transpose()?;
        Ok(Self { width, height, fps, calibration })
    }
}

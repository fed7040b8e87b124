//! What one picture shows of a head: which of its lamps is lit.
//!
//! A lit lamp is light of its own colour: saturated, bright, and in the place
//! of that lamp. Colours are angles in the Cb–Cr plane, so only the samples of
//! the zone are touched and nothing is converted. The sectors are those of the
//! dominant wavelengths that EN 12368 allows (red 613–631 nm, amber
//! 585–597 nm, green 489–508 nm) in sRGB by BT.601 and BT.709, widened to where
//! an overdriven sensor puts them: a red core clips towards yellow, a green one
//! towards cyan. Neighbouring sectors overlap: the place of the lamp decides there.

use serde::{Deserialize, Serialize};
use ss_model::{Chroma, ColourSpace, LumaFrame};

use super::config::{Cell, HeadConfig, Lamp};

/// Light has at least this much in its strongest primary, of 255.
const LEAST_VALUE: f32 = 80.0;
/// Chroma of light, of 128, where luma leaves it room …
const LEAST_CHROMA: f32 = 32.0;
/// … and where the sensor is close to white.
const LEAST_CLIPPED: f32 = 12.0;
/// Share of a lamp's samples that are light; a thin arrow covers a fifth of its disc.
const LEAST_SHARE: f32 = 0.1;
/// Glow of a lamp beside the brightest of its head: weaker is its reflection.
const RIVAL: f32 = 0.5;
/// Glow of a lamp beside what lit lamps of its head lately had: weaker is the sun on its lens.
const PHANTOM: f32 = 0.25;

/// What one picture shows of a head.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Look {
    /// One lamp is lit, and how clearly, 0–1.
    Lit(Lamp, f32),
    /// None of its lamps is lit.
    Blank,
    /// It cannot be told.
    Unclear,
}

/// One sample: its chroma, and the luma pixels that it colours.
#[derive(Clone, Copy, Debug)]
struct Sample {
    chroma: (u32, u32),
    luma: (u32, u32),
}

/// The samples of a head's lamps in pictures of one layout.
#[derive(Clone, Debug)]
pub struct Eye {
    lamps: Vec<(Lamp, Vec<Sample>)>,
    /// Luma pixels per chroma sample, across and down.
    block: (usize, usize),
    /// Layout of the pictures: luma size, chroma size.
    layout: [(usize, usize); 2],
}

/// Light of one lamp.
#[derive(Clone, Copy, Debug, Default)]
struct Glow {
    share: f32,
    mean: f32,
    luma: f32,
}

impl Eye {
    /// For pictures like this one.
    pub fn new(head: &HeadConfig, frame: &LumaFrame<'_>, chroma: &Chroma<'_>) -> Self {
        let (size, chroma_size) = ((frame.width, frame.height), chroma.size);
        let block = (size.0.div_ceil(chroma_size.0), size.1.div_ceil(chroma_size.1));
        let lamps = head
            .lamps
            .iter()
            .zip(head.cells(size))
            .filter(|(lamp, _)| **lamp != Lamp::Hidden)
            .map(|(&lamp, cell)| (lamp, samples(&cell, block, chroma_size)))
            .collect();
        Self { lamps, block, layout: [size, chroma_size] }
    }

    /// Whether pictures like this one are meant.
    pub fn fits(&self, frame: &LumaFrame<'_>, chroma: &Chroma<'_>) -> bool {
        self.layout == [(frame.width, frame.height), chroma.size]
    }

    /// Which lamp is lit; `peak` is the glow that lit lamps lately had.
    /// Also answers its glow, and the luma of each lamp.
    pub fn look(
        &self,
        frame: &LumaFrame<'_>,
        chroma: &Chroma<'_>,
        peak: f32,
    ) -> (Look, f32, Vec<(Lamp, f32)>) {
        let glows: Vec<(Lamp, Glow)> =
            self.lamps.iter().map(|(lamp, at)| (*lamp, self.glow(*lamp, at, frame, chroma))).collect();
        let lumas = glows.iter().map(|(lamp, g)| (*lamp, g.luma)).collect();
        let brightest = glows.iter().map(|(_, g)| g.mean).fold(0.0, f32::max);
        let least = (RIVAL * brightest).max(PHANTOM * peak);
        let mut lit = glows.iter().filter(|(_, g)| g.share >= LEAST_SHARE && g.mean >= least);
        match (lit.next(), lit.next()) {
            (None, _) => (Look::Blank, 0.0, lumas),
            (Some((lamp, g)), None) => (Look::Lit(*lamp, (2.0 * g.share).min(1.0)), g.mean, lumas),
            (Some(_), Some(_)) => (Look::Unclear, 0.0, lumas),
        }
    }

    fn glow(&self, lamp: Lamp, samples: &[Sample], frame: &LumaFrame<'_>, chroma: &Chroma<'_>) -> Glow {
        let (mut lit, mut sum, mut lumas) = (0u32, 0.0f32, 0.0f32);
        for s in samples {
            let at = s.chroma.1 as usize * chroma.stride + s.chroma.0 as usize * chroma.step;
            let (Some(&cb), Some(&cr)) = (chroma.planes[0].get(at), chroma.planes[1].get(at)) else {
                continue;
            };
            let luma = self.luma(s, frame);
            lumas += luma;
            let strength = light(lamp, luma, (cb, cr), chroma.space);
            lit += u32::from(strength > 0.0);
            sum += strength;
        }
        let n = samples.len().max(1) as f32;
        // One sample may be a coding error.
        let luma = lumas / n;
        if lit < 2 {
            Glow { luma, ..Glow::default() }
        } else {
            Glow { share: lit as f32 / n, mean: sum / n, luma }
        }
    }

    /// Mean luma of the pixels of a sample.
    fn luma(&self, s: &Sample, frame: &LumaFrame<'_>) -> f32 {
        let (x, y) = (s.luma.0 as usize, s.luma.1 as usize);
        let (mut sum, mut n) = (0u32, 0u32);
        for row in y..(y + self.block.1).min(frame.height) {
            let from = row * frame.stride + x;
            let to = row * frame.stride + (x + self.block.0).min(frame.width);
            for &v in frame.data.get(from..to).unwrap_or_default() {
                sum += u32::from(v);
                n += 1;
            }
        }
        sum as f32 / n.max(1) as f32
    }
}

/// Samples whose centre a lamp covers.
fn samples(cell: &Cell, block: (usize, usize), (columns, rows): (usize, usize)) -> Vec<Sample> {
    let (bw, bh) = (block.0 as f64, block.1 as f64);
    let reach = |i: usize| cell.across[i].abs() + cell.along[i].abs();
    let from = |i: usize, b: f64| ((cell.centre[i] - reach(i)) / b).floor().max(0.0) as usize;
    let to =
        |i: usize, b: f64, end: usize| (((cell.centre[i] + reach(i)) / b).ceil().max(0.0) as usize).min(end);
    let mut found = Vec::new();
    for j in from(1, bh)..to(1, bh, rows) {
        for i in from(0, bw)..to(0, bw, columns) {
            if cell.covers([(i as f64 + 0.5) * bw, (j as f64 + 0.5) * bh]) {
                found.push(Sample {
                    chroma: (i as u32, j as u32),
                    luma: ((i * block.0) as u32, (j * block.1) as u32),
                });
            }
        }
    }
    found
}

/// Chroma of a sample, of 128, when it is light of a lamp's colour; else 0.
fn light(lamp: Lamp, luma: f32, (cb, cr): (u8, u8), space: ColourSpace) -> f32 {
    let (black, gain, chroma_gain) =
        if space.full_range { (0.0, 1.0, 1.0) } else { (16.0, 255.0 / 219.0, 255.0 / 224.0) };
    let y = (luma - black) * gain;
    let (b, r) = ((f32::from(cb) - 128.0) * chroma_gain, (f32::from(cr) - 128.0) * chroma_gain);
    let chroma = b.hypot(r);
    if chroma < ((255.0 - y) / 4.0).clamp(LEAST_CLIPPED, LEAST_CHROMA) {
        return 0.0;
    }
    // Red, green and blue as far as they are larger than luma (BT.709; BT.601 differs by a tenth).
    let value = y + (1.57 * r).max(1.86 * b).max(-0.19 * b - 0.47 * r);
    if value < LEAST_VALUE {
        return 0.0;
    }
    let degrees = r.atan2(b).to_degrees().rem_euclid(360.0);
    let (from, to) = match lamp {
        Lamp::Red => (70.0, 140.0),
        Lamp::Amber => (115.0, 185.0),
        Lamp::Green => (200.0, 305.0),
        Lamp::Hidden => return 0.0,
    };
    if (from..=to).contains(&degrees) { chroma } else { 0.0 }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Y, Cb, Cr of a colour, BT.601 full range (ITU-T T.871).
    fn ycc([r, g, b]: [f32; 3]) -> [u8; 3] {
        let y = 0.299 * r + 0.587 * g + 0.114 * b;
        [y, 128.0 + (b - y) / 1.772, 128.0 + (r - y) / 1.402].map(|v| v.round().clamp(0.0, 255.0) as u8)
    }

    /// A housing with three lamps of 12 pixels, those given lit.
    pub struct Scene {
        pub luma: Vec<u8>,
        pub cb: Vec<u8>,
        pub cr: Vec<u8>,
    }

    pub const SIZE: (usize, usize) = (40, 60);

    pub fn head() -> HeadConfig {
        HeadConfig {
            zone: "head".into(),
            polygon: vec![[0.35, 0.2], [0.65, 0.2], [0.65, 0.8], [0.35, 0.8]],
            groups: vec!["S".into()],
            lamps: vec![Lamp::Red, Lamp::Amber, Lamp::Green],
            arrow: false,
        }
    }

    pub fn scene(lamps: [Option<[f32; 3]>; 3], road: [f32; 3]) -> Scene {
        let (w, h) = SIZE;
        let mut scene = Scene { luma: vec![0; w * h], cb: vec![0; w * h / 4], cr: vec![0; w * h / 4] };
        for y in 0..h {
            for x in 0..w {
                let (dx, dy) = (x as f32 + 0.5 - 20.0, y as f32 + 0.5 - 12.0);
                let lamp = (dy >= 0.0).then(|| (dy / 12.0) as usize).filter(|&i| i < 3);
                let in_disc = lamp.is_some_and(|i| dx.hypot(dy - 12.0 * i as f32 - 6.0) <= 5.0);
                let housing = dx.abs() <= 7.0 && (-1.0..=37.0).contains(&dy);
                let colour = match lamp {
                    Some(i) if in_disc => lamps[i].unwrap_or([38.0, 34.0, 36.0]),
                    _ if housing => [24.0, 24.0, 26.0],
                    _ => road,
                };
                let [luma, cb, cr] = ycc(colour);
                scene.luma[y * w + x] = luma;
                (scene.cb[y / 2 * w / 2 + x / 2], scene.cr[y / 2 * w / 2 + x / 2]) = (cb, cr);
            }
        }
        scene
    }

    impl Scene {
        pub fn frame(&self, time: i64) -> LumaFrame<'_> {
            let (width, height) = SIZE;
            let time = ss_model::EventTime(time);
            LumaFrame { data: &self.luma, stride: width, width, height, time, number: 0, reduced: None }
        }

        pub fn chroma(&self) -> Chroma<'_> {
            Chroma {
                planes: [&self.cb, &self.cr],
                stride: SIZE.0 / 2,
                step: 1,
                size: (SIZE.0 / 2, SIZE.1 / 2),
                space: ColourSpace { full_range: true, bt709: false },
            }
        }
    }

    pub const RED: [f32; 3] = [235.0, 45.0, 55.0];
    pub const AMBER: [f32; 3] = [255.0, 175.0, 30.0];
    pub const GREEN: [f32; 3] = [40.0, 230.0, 190.0];
    const ASPHALT: [f32; 3] = [110.0, 110.0, 112.0];

    fn look(scene: &Scene, peak: f32) -> Look {
        let (frame, chroma) = (scene.frame(0), scene.chroma());
        Eye::new(&head(), &frame, &chroma).look(&frame, &chroma, peak).0
    }

    fn lit(scene: &Scene) -> Option<Lamp> {
        match look(scene, 0.0) {
            Look::Lit(lamp, clear) => {
                assert!(clear > 0.5);
                Some(lamp)
            }
            Look::Blank => None,
            Look::Unclear => panic!("unclear"),
        }
    }

    #[test]
    fn each_lamp_by_day_in_the_dark_and_overdriven() {
        let colours: [(usize, &[[f32; 3]]); 3] = [
            (0, &[RED, [120.0, 12.0, 18.0], [255.0, 60.0, 80.0]]),
            (1, &[AMBER, [130.0, 80.0, 6.0], [255.0, 240.0, 120.0]]),
            (2, &[GREEN, [10.0, 110.0, 90.0], [190.0, 255.0, 248.0]]),
        ];
        for (i, colours) in colours {
            for colour in colours {
                for road in [ASPHALT, [6.0, 6.0, 8.0], [250.0, 250.0, 250.0]] {
                    let mut lamps = [None; 3];
                    lamps[i] = Some(*colour);
                    assert_eq!(lit(&scene(lamps, road)), Some(head().lamps[i]), "{colour:?} on {road:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_lit_is_blank_whatever_is_behind() {
        for road in [ASPHALT, [200.0, 30.0, 30.0], [20.0, 160.0, 40.0], [235.0, 240.0, 255.0]] {
            assert_eq!(lit(&scene([None; 3], road)), None, "{road:?}");
        }
    }

    #[test]
    fn a_colour_in_another_lamps_place_is_no_light() {
        assert_eq!(lit(&scene([Some(GREEN), None, None], ASPHALT)), None);
        assert_eq!(lit(&scene([None, None, Some(RED)], ASPHALT)), None);
    }

    #[test]
    fn sun_on_a_red_lens_is_weaker_than_the_green_that_is_lit() {
        let sunny = [130.0, 62.0, 64.0];
        assert_eq!(lit(&scene([Some(sunny), None, Some(GREEN)], ASPHALT)), Some(Lamp::Green));
        // … also while the green one is between two pulses.
        assert_eq!(look(&scene([Some([100.0, 70.0, 66.0]), None, None], ASPHALT), 70.0), Look::Blank);
    }

    #[test]
    fn two_lamps_at_once_are_unclear() {
        assert_eq!(look(&scene([Some(RED), None, Some(GREEN)], ASPHALT), 0.0), Look::Unclear);
    }
}

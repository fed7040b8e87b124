//! Pictures as a detection model wants them: resized, coloured, planes one after the other.
//!
//! All arithmetic is in whole numbers, so every machine prepares the same
//! picture. A plane that shrinks to half or less is first averaged in whole
//! blocks, so that nothing falls between the samples; the rest is bilinear,
//! samples at the centres of their pixels, as the usual trainers resize.

use serde::{Deserialize, Serialize};
use ss_model::{BoxF, Chroma, ColourSpace, Error, LumaFrame, Result};

/// What the samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Three planes: red, green, blue.
    Rgb,
    /// Three planes: blue, green, red.
    Bgr,
    /// One plane: luma as the camera sends it.
    Luma,
    /// Luma, then half as many rows of Cb and Cr interleaved; never resized.
    Nv12,
}

/// How a picture of another shape is fitted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Its shape is kept, bars on both sides.
    Letterbox,
    /// Its shape is kept, bars to the right and below.
    Corner,
    /// It is stretched.
    Stretch,
}

/// What a model wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureSpec {
    /// Kind of samples.
    pub form: Form,
    /// Columns; 0 takes the camera's own size.
    pub width: usize,
    /// Rows; 0 takes the camera's own size.
    pub height: usize,
    /// How the camera's picture is fitted in.
    pub fit: Fit,
    /// Level of the bars.
    pub pad: u8,
}

/// Largest side of a prepared picture.
const MAX_SIDE: usize = 8192;

impl PictureSpec {
    /// Refuse sizes no model has.
    ///
    /// # Errors
    /// `InvalidInput` saying what was found and what was expected.
    pub fn validate(&self) -> Result<()> {
        let Self { width, height, .. } = *self;
        let own = (width, height) == (0, 0);
        if width > MAX_SIDE || height > MAX_SIDE || (!own && (width == 0 || height == 0)) {
            return Err(Error::invalid(format!(
                "detector picture: found {width}x{height}, expected sides of 1 to {MAX_SIDE}, or 0x0"
            )));
        }
        if self.form == Form::Nv12 && !own {
            return Err(Error::invalid(
                "detector picture: found a size for nv12, expected 0x0: it is not resized",
            ));
        }
        Ok(())
    }
}

/// A prepared picture and the way back to the camera's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Samples, plane after plane, row after row.
    pub data: Vec<u8>,
    /// Planes (1 for `Nv12`), rows, columns.
    pub shape: [usize; 3],
    /// Left, top, width and height of the camera's picture in it.
    pub place: [usize; 4],
    /// How the samples of `Nv12` are to be turned into colours.
    pub space: ColourSpace,
}

impl Picture {
    /// A box in pixels of this picture, normalised to the camera's.
    pub fn to_camera(&self, b: &BoxF) -> BoxF {
        let [left, top, width, height] = self.place.map(|v| v as f32);
        BoxF {
            x1: (b.x1 - left) / width,
            y1: (b.y1 - top) / height,
            x2: (b.x2 - left) / width,
            y2: (b.y2 - top) / height,
        }
    }
}

/// Prepares pictures; keeps its buffers between them.
#[derive(Clone, Debug, Default)]
pub struct Preparer {
    planes: [Vec<u8>; 3],
    reduced: Vec<u8>,
    columns: Vec<(u32, u32, i32)>,
}

impl Preparer {
    /// `frame` as `spec` wants it; without `chroma` it is gray.
    ///
    /// # Errors
    /// `InvalidInput` for a frame without pixels.
    pub fn prepare(
        &mut self,
        frame: &LumaFrame<'_>,
        chroma: Option<&Chroma<'_>>,
        spec: &PictureSpec,
    ) -> Result<Picture> {
        let source = (frame.width, frame.height);
        if source.0 == 0 || source.1 == 0 {
            return Err(Error::invalid("detector picture: found a frame without pixels"));
        }
        let (size, place) = placed(source, spec);
        let [_, _, w, h] = place;
        let luma = Samples { data: frame.data, stride: frame.stride, step: 1, size: source };
        let [y, cb, cr] = &mut self.planes;
        resample(&luma, (w, h), &mut self.reduced, &mut self.columns, y);
        let (chroma_w, chroma_h) =
            if spec.form == Form::Nv12 { (w.div_ceil(2), h.div_ceil(2)) } else { (w, h) };
        for (out, i) in [(cb, 0), (cr, 1)] {
            if spec.form == Form::Luma {
                continue;
            }
            if let Some(c) = chroma {
                let samples = Samples { data: c.planes[i], stride: c.stride, step: c.step, size: c.size };
                resample(&samples, (chroma_w, chroma_h), &mut self.reduced, &mut self.columns, out);
            } else {
                out.clear();
                out.resize(chroma_w * chroma_h, 128);
            }
        }
        let space = chroma.map_or(ColourSpace::default(), |c| c.space);
        Ok(match spec.form {
            Form::Nv12 => self.interleave((w, h), (chroma_w, chroma_h), space),
            Form::Luma => {
                let mut data = vec![spec.pad; size.0 * size.1];
                paste(&self.planes[0], place, size, &mut data);
                Picture { data, shape: [1, size.1, size.0], place, space }
            }
            Form::Rgb | Form::Bgr => {
                let area = size.0 * size.1;
                let mut data = vec![spec.pad; 3 * area];
                self.colour(space);
                let (first, rest) = data.split_at_mut(area);
                let (second, third) = rest.split_at_mut(area);
                let (red, blue) = if spec.form == Form::Rgb { (first, third) } else { (third, first) };
                for (plane, out) in self.planes.iter().zip([red, second, blue]) {
                    paste(plane, place, size, out);
                }
                Picture { data, shape: [3, size.1, size.0], place, space }
            }
        })
    }

    /// The three planes from Y, Cb, Cr to red, green, blue, in place.
    fn colour(&mut self, space: ColourSpace) {
        let [y, cb, cr] = &mut self.planes;
        let mix = Mix::of(space);
        for ((y, cb), cr) in y.iter_mut().zip(cb.iter_mut()).zip(cr.iter_mut()) {
            [*y, *cb, *cr] = mix.rgb(*y, *cb, *cr);
        }
    }

    fn interleave(&self, (w, h): (usize, usize), (cw, ch): (usize, usize), space: ColourSpace) -> Picture {
        // An odd size is rounded up by repeating the last column and row.
        let stride = 2 * cw;
        let mut data = Vec::with_capacity(stride * 3 * ch);
        for row in 0..2 * ch {
            let from = &self.planes[0][row.min(h - 1) * w..][..w];
            data.extend_from_slice(from);
            data.resize((row + 1) * stride, from[w - 1]);
        }
        for (cb, cr) in self.planes[1].iter().zip(&self.planes[2]) {
            data.extend([*cb, *cr]);
        }
        Picture { data, shape: [1, 3 * ch, stride], place: [0, 0, w, h], space }
    }
}

/// Size of the prepared picture, and where in it the camera's lies.
fn placed((w, h): (usize, usize), spec: &PictureSpec) -> ((usize, usize), [usize; 4]) {
    if (spec.width, spec.height) == (0, 0) {
        return ((w, h), [0, 0, w, h]);
    }
    let size = (spec.width, spec.height);
    if spec.fit == Fit::Stretch {
        return (size, [0, 0, size.0, size.1]);
    }
    // The side that is tighter decides; whole numbers, to the nearest.
    let (nw, nh) = if size.0 * h <= size.1 * w {
        (size.0, ((2 * h * size.0 + w) / (2 * w)).clamp(1, size.1))
    } else {
        (((2 * w * size.1 + h) / (2 * h)).clamp(1, size.0), size.1)
    };
    let (left, top) =
        if spec.fit == Fit::Letterbox { ((size.0 - nw) / 2, (size.1 - nh) / 2) } else { (0, 0) };
    (size, [left, top, nw, nh])
}

fn paste(plane: &[u8], [left, top, w, h]: [usize; 4], size: (usize, usize), out: &mut [u8]) {
    for (from, to) in plane.chunks_exact(w).zip(out.chunks_exact_mut(size.0).skip(top)).take(h) {
        to[left..left + w].copy_from_slice(from);
    }
}

/// Whole-number conversion to colours, in 256ths.
#[derive(Clone, Copy)]
pub struct Mix {
    black: i32,
    gain: i32,
    red_cr: i32,
    green: (i32, i32),
    blue_cb: i32,
}

impl Mix {
    /// For samples of `space`.
    pub fn of(space: ColourSpace) -> Self {
        let matrix = space.matrix();
        let rounded = |factor: i32| (factor + 128) >> 8;
        Self {
            black: matrix.black,
            gain: rounded(matrix.gain),
            red_cr: rounded(matrix.red),
            green: (rounded(matrix.green.0), rounded(matrix.green.1)),
            blue_cb: rounded(matrix.blue),
        }
    }

    /// Red, green, blue of one sample.
    #[inline]
    pub fn rgb(self, y: u8, cb: u8, cr: u8) -> [u8; 3] {
        let y = self.gain * (i32::from(y) - self.black) + 128;
        let (cb, cr) = (i32::from(cb) - 128, i32::from(cr) - 128);
        [y + self.red_cr * cr, y - self.green.0 * cb - self.green.1 * cr, y + self.blue_cb * cb]
            .map(|v| (v >> 8).clamp(0, 255) as u8)
    }
}

/// A plane of samples as it lies in memory.
struct Samples<'a> {
    data: &'a [u8],
    stride: usize,
    step: usize,
    size: (usize, usize),
}

impl Samples<'_> {
    fn row(&self, y: usize) -> &[u8] {
        &self.data[y * self.stride..][..=(self.size.0 - 1) * self.step]
    }
}

/// Bits of a bilinear weight.
const WEIGHT: u32 = 8;

/// `from` at another size, without gaps between rows.
fn resample(
    from: &Samples<'_>,
    (w, h): (usize, usize),
    reduced: &mut Vec<u8>,
    columns: &mut Vec<(u32, u32, i32)>,
    out: &mut Vec<u8>,
) {
    out.clear();
    out.reserve(w * h);
    let block = (from.size.0 / w).min(from.size.1 / h).max(1);
    if from.size == (w, h) {
        for y in 0..h {
            out.extend(from.row(y).iter().step_by(from.step));
        }
        return;
    }
    let small;
    let from = if block > 1 {
        small = (from.size.0 / block, from.size.1 / block);
        average(from, block, small, reduced);
        &Samples { data: reduced, stride: small.0, step: 1, size: small }
    } else {
        from
    };
    columns.clear();
    columns.extend((0..w).map(|x| {
        let (a, b, part) = between(x, from.size.0, w);
        ((a * from.step) as u32, (b * from.step) as u32, part)
    }));
    let half = 1 << (2 * WEIGHT - 1);
    for y in 0..h {
        let (a, b, down) = between(y, from.size.1, h);
        let (above, below) = (from.row(a), from.row(b));
        out.extend(columns.iter().map(|&(l, r, along)| {
            let (l, r) = (l as usize, r as usize);
            let mix =
                |row: &[u8]| (i32::from(row[l]) << WEIGHT) + (i32::from(row[r]) - i32::from(row[l])) * along;
            let (top, bottom) = (mix(above), mix(below));
            (((top << WEIGHT) + (bottom - top) * down + half) >> (2 * WEIGHT)) as u8
        }));
    }
}

/// The samples before and after the centre of pixel `i` of `to`, and how far it is between them.
fn between(i: usize, from: usize, to: usize) -> (usize, usize, i32) {
    let centre = (((2 * i + 1) as i64 * from as i64) << WEIGHT) / (2 * to as i64) - (1 << (WEIGHT - 1));
    let centre = centre.clamp(0, ((from - 1) as i64) << WEIGHT);
    let before = (centre >> WEIGHT) as usize;
    (before, (before + 1).min(from - 1), (centre & ((1 << WEIGHT) - 1)) as i32)
}

/// Averages of whole blocks.
fn average(from: &Samples<'_>, block: usize, (w, h): (usize, usize), out: &mut Vec<u8>) {
    let mut sums = vec![0u32; w];
    let area = (block * block) as u32;
    out.clear();
    for y in 0..h {
        sums.fill(0);
        for row in (0..block).map(|dy| from.row(y * block + dy)) {
            if from.step == 1 {
                for (sum, part) in sums.iter_mut().zip(row.chunks_exact(block)) {
                    *sum += part.iter().map(|&v| u32::from(v)).sum::<u32>();
                }
            } else {
                for (i, &v) in row.iter().step_by(from.step).take(w * block).enumerate() {
                    sums[i / block] += u32::from(v);
                }
            }
        }
        out.extend(sums.iter().map(|sum| ((sum + area / 2) / area) as u8));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ss_model::EventTime;

    use super::*;

    fn frame(data: &[u8], width: usize, height: usize) -> LumaFrame<'_> {
        LumaFrame { data, stride: width, width, height, time: EventTime(0), number: 0, reduced: None }
    }

    fn chroma<'a>(cb: &'a [u8], cr: &'a [u8], size: (usize, usize)) -> Chroma<'a> {
        Chroma { planes: [cb, cr], stride: size.0, step: 1, size, space: ColourSpace::default() }
    }

    fn spec(form: Form, width: usize, height: usize, fit: Fit) -> PictureSpec {
        PictureSpec { form, width, height, fit, pad: 114 }
    }

    #[test]
    fn colours_of_the_standards_test_bars() {
        // BT.601 studio range: white, red, green, blue at full saturation.
        let bars = [([235, 128, 128], [255, 255, 255]), ([81, 90, 240], [255, 0, 0])];
        let more = [([145, 54, 34], [0, 255, 0]), ([41, 240, 110], [0, 0, 255])];
        for ([y, cb, cr], rgb) in bars.into_iter().chain(more) {
            let found = Mix::of(ColourSpace::default()).rgb(y, cb, cr);
            assert!(
                found.iter().zip(rgb).all(|(&a, b): (&u8, i32)| (i32::from(a) - b).abs() <= 2),
                "{found:?}"
            );
        }
    }

    #[test]
    fn bars_lie_where_the_fit_says() {
        let (data, c) = (vec![235u8; 8 * 4], vec![128u8; 4 * 2]);
        for (fit, place) in
            [(Fit::Letterbox, [0, 4, 16, 8]), (Fit::Corner, [0, 0, 16, 8]), (Fit::Stretch, [0, 0, 16, 16])]
        {
            let chroma = chroma(&c, &c, (4, 2));
            let picture = Preparer::default()
                .prepare(&frame(&data, 8, 4), Some(&chroma), &spec(Form::Rgb, 16, 16, fit))
                .unwrap();
            assert_eq!((picture.place, picture.shape), (place, [3, 16, 16]));
            for (i, &v) in picture.data.iter().enumerate() {
                let y = i % 256 / 16;
                let inside = (place[1]..place[1] + place[3]).contains(&y);
                assert_eq!(v, if inside { 255 } else { 114 }, "{fit:?} row {y}");
            }
        }
    }

    #[test]
    fn nv12_of_an_odd_size_is_rounded_up() {
        let (data, c) = (vec![50u8; 5 * 3], [90u8, 91, 92, 93, 94, 95]);
        let chroma = chroma(&c, &c, (3, 2));
        let picture = Preparer::default()
            .prepare(&frame(&data, 5, 3), Some(&chroma), &spec(Form::Nv12, 0, 0, Fit::Stretch))
            .unwrap();
        assert_eq!(picture.shape, [1, 6, 6]);
        assert_eq!(&picture.data[24..30], &[90, 90, 91, 91, 92, 92]);
        assert_eq!(picture.place, [0, 0, 5, 3]);
    }

    proptest! {
        #[test]
        fn a_box_goes_there_and_back(
            w in 1usize..3000, h in 1usize..3000, tw in 1usize..700, th in 1usize..700,
            fit in prop_oneof![Just(Fit::Letterbox), Just(Fit::Corner), Just(Fit::Stretch)],
        ) {
            let ((pw, ph), place) = placed((w, h), &spec(Form::Rgb, tw, th, fit));
            prop_assert!(place[0] + place[2] <= pw && place[1] + place[3] <= ph && place[2] > 0 && place[3] > 0);
            let picture = Picture { data: vec![], shape: [3, ph, pw], place, space: ColourSpace::default() };
            let [l, t, nw, nh] = place.map(|v| v as f32);
            let whole = picture.to_camera(&BoxF { x1: l, y1: t, x2: l + nw, y2: t + nh });
            prop_assert_eq!(whole, BoxF { x1: 0.0, y1: 0.0, x2: 1.0, y2: 1.0 });
        }

        #[test]
        fn resampling_stays_within_the_levels_and_keeps_a_plain_picture(
            w in 1usize..90, h in 1usize..90, tw in 1usize..60, th in 1usize..60, step in 1usize..3,
            level in any::<u8>(), noise in proptest::collection::vec(any::<u8>(), 64),
        ) {
            let stride = w * step + 3;
            let (mut reduced, mut columns, mut out) = (Vec::new(), Vec::new(), Vec::new());
            let plain = vec![level; stride * h];
            let samples = Samples { data: &plain, stride, step, size: (w, h) };
            resample(&samples, (tw, th), &mut reduced, &mut columns, &mut out);
            prop_assert_eq!(&out, &vec![level; tw * th]);
            let rough: Vec<u8> = (0..stride * h).map(|i| noise[i * 7 % 64]).collect();
            let samples = Samples { data: &rough, stride, step, size: (w, h) };
            resample(&samples, (tw, th), &mut reduced, &mut columns, &mut out);
            prop_assert_eq!(out.len(), tw * th);
            let (low, high) = (rough.iter().min().unwrap(), rough.iter().max().unwrap());
            prop_assert!(out.iter().all(|v| (low..=high).contains(&v)));
        }
    }
}

//! What is seen now beside what is usually seen: two planes, compared by their gradients.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::small::Plane;

/// Tiles of the picture, across and down.
const TILES: (usize, usize) = (8, 6);
/// Looks before the street counts as known.
const LEARN: u16 = 15;
/// Looks that the street is a mean of: the sun moves its shadows, and dusk takes half an hour.
const MEMORY: i32 = 240;
/// So much more slowly it follows a view that may be at fault.
const DOUBT: i32 = 4;
/// So sharp, and of so much of its contrast, a view is beyond doubt.
const CLEAR: (f32, f32) = (0.8, 0.7);
/// What is seen now is a mean of some seconds: a share of one in so many is the newest look's.
const NOW: i32 = 4;
/// A tile has edges where its gradients are, in levels over two pixels and root mean square, at least so steep …
const EDGES: f32 = 4.0;
/// … and a view can be judged by so many of them.
const LEAST_TILES: usize = 6;
/// A tile is recognised by so high a correlation of its gradients.
const KNOWN: f32 = 0.4;
/// Of the tiles with edges so many are recognised in a usual view …
const USUAL: f32 = 0.5;
/// … so many at least in a blurred one, whose edges are where they were …
const IN_PLACE: f32 = 0.3;
/// … and so many at most where something else is seen.
const STRANGE: f32 = 0.15;
/// Contrast left, of the street's own, where nothing is seen.
const NOTHING: f32 = 0.12;
/// Fine contrast left, beside the coarse one, where a picture is blurred.
const BLURRED: f32 = 0.6;
/// Columns and rows of a coarse pixel.
const COARSE: usize = 4;
/// A view is looked for at shifts of up to this share of the picture …
const REACH: f32 = 0.25;
/// … has moved when it is so well found there …
const FOUND: f32 = 0.35;
/// … so much better than in its place …
const BETTER: f32 = 0.2;
/// … and so far from it, as a share of the width.
const FAR: f32 = 0.01;
/// Every how manieth look is searched for a shift.
const SEARCH: u16 = 4;
/// Luma from which on a sensor is blinded.
const WHITE: u8 = 245;
/// Root mean square of gradients below which there is nothing in a picture.
const BLANK: f32 = 1.5;

/// What a look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Finding {
    /// The street as it is usually seen.
    Usual,
    /// Nothing can be said.
    Unsure,
    /// No contrast where the street has its edges; the picture is white.
    Nothing { white: bool },
    /// Contrast, but none of the street's edges.
    Strange,
    /// The coarse edges of the street without the fine ones.
    Blurred,
    /// The street's edges elsewhere: by so many thousandths of the picture to the right and down.
    Moved { right: i16, down: i16 },
}

impl Finding {
    /// Name of the condition, as in `camera.health`.
    pub fn what(self) -> &'static str {
        match self {
            Self::Usual | Self::Unsure => "usual",
            Self::Nothing { .. } | Self::Strange => "covered",
            Self::Blurred => "blurred",
            Self::Moved { .. } => "moved",
        }
    }

    /// Looks in a row after which it holds; `None` for what is no fault. A
    /// lorry stops in front of a camera, a motor hunts for the focus: only
    /// what stays is the camera's own.
    pub fn looks(self) -> Option<u32> {
        match self {
            Self::Usual | Self::Unsure => None,
            Self::Nothing { .. } | Self::Moved { .. } => Some(5),
            Self::Blurred => Some(10),
            Self::Strange => Some(60),
        }
    }

    /// The same as `other`, as far as a row of looks goes.
    pub fn is_like(self, other: Self) -> bool {
        match (self, other) {
            (Self::Moved { right: a, down: b }, Self::Moved { right: c, down: d }) => {
                (a - c).abs() <= 10 && (b - d).abs() <= 10
            }
            _ => std::mem::discriminant(&self) == std::mem::discriminant(&other),
        }
    }

    /// How far the view has moved, in thousandths of the picture.
    pub fn shift(self) -> Option<(i16, i16)> {
        if let Self::Moved { right, down } = self { Some((right, down)) } else { None }
    }

    /// In words.
    pub fn detail(self) -> String {
        match self {
            Self::Usual => "the usual view".into(),
            Self::Unsure => "not known".into(),
            Self::Nothing { white: false } => "nothing is seen: covered, or too dark".into(),
            Self::Nothing { white: true } => "nothing is seen: overexposed".into(),
            Self::Strange => "something else than the street is seen: covered, or turned away".into(),
            Self::Blurred => "edges of the street are blurred: out of focus, or a wet lens".into(),
            Self::Moved { right, down } => {
                let percent = |v: i16| f32::from(v) / 10.0;
                let (right, down) = (percent(right), percent(down));
                format!("the view moved by {right} % of the picture to the right and {down} % down")
            }
        }
    }
}

/// What the latest look was judged by, for diagnosis.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measures {
    /// Tiles with edges.
    pub tiles: usize,
    /// Share of them that were recognised.
    pub known: f32,
    /// The same among coarse pixels.
    pub roughly_known: f32,
    /// Fine contrast left over the coarse one.
    pub sharpness: f32,
    /// Contrast over the street's.
    pub contrast: f32,
}

/// What is usually seen and what is seen now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct View {
    street: Mean,
    now: Mean,
    /// Looks since the last search for a shift.
    unsearched: u16,
    /// Where it was found then.
    shift: Option<(i16, i16)>,
    #[serde(skip)]
    pub measures: Measures,
}

/// One in `of` of `step`, to the nearest and from the middle outward: for steps of 16 bits and up to a thousand it is
/// that of whole numbers, as a quotient that is none lies farther from one than a float rounds; and a vector operation.
fn part(step: i32, of: i32) -> i32 {
    ((step + (of / 2) * step.signum()) as f32 / of as f32) as i32
}

/// A mean plane, in 1/128 levels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Mean {
    looks: u16,
    data: Vec<i16>,
}

impl Mean {
    /// Take in `plane` with a share of one in `of`, of the first ones in as many as there were.
    fn take(&mut self, plane: &[u8], of: i32) {
        if self.data.len() != plane.len() {
            self.data = vec![0; plane.len()];
            self.looks = 0;
        }
        self.looks = self.looks.saturating_add(1);
        self.follow(plane, i32::from(self.looks).min(of));
    }

    fn follow(&mut self, plane: &[u8], of: i32) {
        for (mean, &v) in self.data.iter_mut().zip(plane) {
            *mean += part(i32::from(v) * 128 - i32::from(*mean), of) as i16;
        }
    }

    fn plane(&self, like: &Plane) -> Plane {
        let level = |&mean: &i16| ((mean + 64) >> 7) as u8;
        Plane { data: self.data.iter().map(level).collect(), ..*like }
    }
}

impl View {
    /// Pictures of seconds ago say nothing of now.
    pub fn forget_now(&mut self) {
        self.now = Mean::default();
        self.shift = None;
    }

    /// The latest look is beyond doubt.
    pub fn is_clear(&self, finding: Finding) -> bool {
        finding == Finding::Usual && self.measures.sharpness >= CLEAR.0 && self.measures.contrast >= CLEAR.1
    }

    /// Look at the next picture; a view that is at fault teaches nothing.
    pub fn look(&mut self, plane: &Plane) -> Finding {
        if self.street.data.len() != plane.data.len() {
            self.street = Mean::default();
        }
        self.now.take(&plane.data, NOW);
        let now = self.now.plane(plane);
        if self.street.looks > 0 {
            let street = self.street.plane(plane);
            let finding = self.compare(&street, &now, plane);
            if self.is_clear(finding) || self.street.looks < LEARN {
                self.street.take(&plane.data, MEMORY);
            } else if finding.looks().is_none() {
                self.street.follow(&plane.data, DOUBT * MEMORY);
            }
            return finding;
        }
        self.street.take(&plane.data, MEMORY);
        Finding::Unsure
    }

    fn compare(&mut self, street: &Plane, now: &Plane, plane: &Plane) -> Finding {
        let edges = (Edges::of(street), Edges::of(now));
        let tiles: Vec<Likeness> = edges.0.tiles(&edges.1).filter(|t| t.street_steep() >= EDGES).collect();
        self.measures = Measures { tiles: tiles.len(), ..Measures::default() };
        if tiles.len() < LEAST_TILES {
            let steep = edges.1.tiles(&edges.1).map(|t| t.street_steep()).fold(0.0, f32::max);
            if self.street.looks >= LEARN && steep < BLANK {
                return Finding::Nothing { white: is_white(plane) };
            }
            if steep >= EDGES {
                // Something comes to be seen: that is the street.
                self.street = Mean::default();
            }
            return Finding::Unsure;
        }
        if self.street.looks < LEARN {
            return Finding::Unsure;
        }
        let (street, now) = (street.reduced(COARSE), now.reduced(COARSE));
        let coarse = (Edges::of(&street), Edges::of(&now));
        let rough: Vec<Likeness> = coarse.0.tiles(&coarse.1).filter(|t| t.street_steep() >= EDGES).collect();
        let known = share(&tiles, |t| t.correlation() >= KNOWN);
        let roughly_known = share(&rough, |t| t.correlation() >= KNOWN);
        let sharpness =
            median(&tiles, Likeness::gain) / median(&rough, Likeness::gain).max(f32::MIN_POSITIVE);
        let all = tiles.iter().fold(Likeness::default(), Likeness::and);
        let contrast = all.contrast();
        self.measures = Measures { tiles: tiles.len(), known, roughly_known, sharpness, contrast };
        let rough_contrast = rough.iter().fold(Likeness::default(), Likeness::and).contrast();
        if contrast < NOTHING && rough_contrast < 2.0 * NOTHING {
            return Finding::Nothing { white: is_white(plane) };
        }
        let blurred = known >= IN_PLACE && roughly_known >= USUAL && sharpness < BLURRED;
        if known >= USUAL && !blurred {
            self.shift = None;
            return Finding::Usual;
        }
        self.unsearched += 1;
        if self.unsearched >= SEARCH {
            self.unsearched = 0;
            self.shift = found_at(&edges, &coarse);
        }
        if let Some((right, down)) = self.shift {
            let thousandths = |px: i16, of: usize| (i32::from(px) * 1000 / of.max(1) as i32) as i16;
            let (right, down) = (thousandths(right, plane.width), thousandths(down, plane.height));
            return Finding::Moved { right, down };
        }
        if blurred {
            return Finding::Blurred;
        }
        if known <= STRANGE && roughly_known <= STRANGE { Finding::Strange } else { Finding::Unsure }
    }
}

/// Most of the picture is as bright as a sensor can tell.
fn is_white(plane: &Plane) -> bool {
    plane.data.iter().filter(|&&v| v >= WHITE).count() > plane.data.len() / 2
}

fn share(tiles: &[Likeness], holds: impl Fn(&Likeness) -> bool) -> f32 {
    if tiles.is_empty() { 0.0 } else { tiles.iter().filter(|t| holds(t)).count() as f32 / tiles.len() as f32 }
}

fn median(tiles: &[Likeness], of: impl Fn(&Likeness) -> f32) -> f32 {
    let mut values: Vec<f32> = tiles.iter().map(of).collect();
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Gradients of a plane along x and y, in levels over two pixels; none at its rim.
struct Edges {
    width: usize,
    height: usize,
    x: Vec<i16>,
    y: Vec<i16>,
}

/// Sums over a tile: products of gradients with each other and with themselves.
#[derive(Clone, Copy, Debug, Default)]
struct Likeness {
    both: f32,
    street: f32,
    now: f32,
    pixels: usize,
}

impl Likeness {
    fn and(self, other: &Self) -> Self {
        Self {
            both: self.both + other.both,
            street: self.street + other.street,
            now: self.now + other.now,
            pixels: self.pixels + other.pixels,
        }
    }

    /// Root mean square of the street's gradients.
    fn street_steep(&self) -> f32 {
        (self.street / self.pixels.max(1) as f32).sqrt()
    }

    fn correlation(&self) -> f32 {
        let norm = (self.street * self.now).sqrt();
        if norm > 0.0 { self.both / norm } else { 0.0 }
    }

    /// How much of the street's edges is there.
    fn gain(&self) -> f32 {
        if self.street > 0.0 { (self.both / self.street).max(0.0) } else { 0.0 }
    }

    /// Contrast now over the street's.
    fn contrast(&self) -> f32 {
        if self.street > 0.0 { (self.now / self.street).sqrt() } else { 0.0 }
    }
}

impl Edges {
    fn of(plane: &Plane) -> Self {
        let (width, height) = (plane.width, plane.height);
        let (mut x, mut y) = (vec![0; width * height], vec![0; width * height]);
        for row in 1..height.saturating_sub(1) {
            let (above, here, below) = (plane.row(row - 1), plane.row(row), plane.row(row + 1));
            let inner = row * width + 1..(row + 1) * width - 1;
            if inner.start >= inner.end {
                break;
            }
            for (out, pair) in x[inner.clone()].iter_mut().zip(here.windows(3)) {
                *out = i16::from(pair[2]) - i16::from(pair[0]);
            }
            for ((out, &a), &b) in y[inner].iter_mut().zip(&above[1..]).zip(&below[1..]) {
                *out = i16::from(b) - i16::from(a);
            }
        }
        Self { width, height, x, y }
    }

    /// Sums over the pixels of `columns` and `rows`, of `now` so many to the right and down.
    fn like(
        &self,
        now: &Self,
        columns: std::ops::Range<usize>,
        rows: std::ops::Range<usize>,
        (right, down): (isize, isize),
    ) -> Likeness {
        let pixels = columns.len() * rows.len();
        let mut sums = [0_i64; 3];
        for row in rows {
            let here = row * self.width + columns.start..row * self.width + columns.end;
            let there =
                (row.wrapping_add_signed(down) * now.width + columns.start).wrapping_add_signed(right);
            let there = there..there + columns.len();
            for (a, b) in [(&self.x, &now.x), (&self.y, &now.y)] {
                let (a, b) = (&a[here.clone()], &b[there.clone()]);
                for (sum, (a, b)) in sums.iter_mut().zip([(a, b), (a, a), (b, b)]) {
                    *sum +=
                        i64::from(a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum::<i32>());
                }
            }
        }
        let [both, street, now] = sums.map(|sum| sum as f32);
        Likeness { both, street, now, pixels }
    }

    fn tiles<'a>(&'a self, now: &'a Self) -> impl Iterator<Item = Likeness> + 'a {
        let part = |i: usize, of: usize, n: usize| n * i / of..n * (i + 1) / of;
        (0..TILES.0 * TILES.1).map(move |i| {
            let columns = part(i % TILES.0, TILES.0, self.width);
            let rows = part(i / TILES.0, TILES.1, self.height);
            self.like(now, columns, rows, (0, 0))
        })
    }

    /// How well `now` fits when it is looked at so many pixels further right and down.
    fn shifted(&self, now: &Self, shift: (isize, isize)) -> f32 {
        let span = |n: usize, by: isize| {
            let by_px = by.unsigned_abs().min(n);
            if by >= 0 { 0..n - by_px } else { by_px..n }
        };
        self.like(now, span(self.width, shift.0), span(self.height, shift.1), shift).correlation()
    }
}

/// Where the street is seen instead, in pixels to the right and down: sought among coarse pixels, then among fine ones.
fn found_at(fine: &(Edges, Edges), coarse: &(Edges, Edges)) -> Option<(i16, i16)> {
    let reach = |n: usize| (n as f32 * REACH) as isize;
    let all = |x: isize, y: isize, (rx, ry): (isize, isize)| {
        (y - ry..=y + ry).flat_map(move |v| (x - rx..=x + rx).map(move |h| (h, v)))
    };
    let best = |edges: &(Edges, Edges), shifts: &mut dyn Iterator<Item = (isize, isize)>| {
        let fit = shifts.map(|s| (edges.0.shifted(&edges.1, s), s));
        fit.fold((-1.0, (0, 0)), |best: (f32, _), now| if now.0 > best.0 { now } else { best })
    };
    let size = (reach(coarse.0.width), reach(coarse.0.height));
    let (_, (x, y)) = best(coarse, &mut all(0, 0, size));
    let k = COARSE as isize;
    let (fit, (right, down)) = best(fine, &mut all(x * k, y * k, (k, k)));
    let far = ((right * right + down * down) as f32).sqrt() >= FAR * fine.0.width as f32;
    let better = fit >= FOUND && fit >= fine.0.shifted(&fine.1, (0, 0)) + BETTER;
    (far && better).then_some((right as i16, down as i16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_that_of_whole_numbers() {
        for of in [1, 2, 3, 7, 15, 16, 60, 127, 239, MEMORY, 479, MEMORY * DOUBT] {
            for step in -65_535..=65_535 {
                assert_eq!(part(step, of), (step + (of / 2) * step.signum()) / of, "{step} / {of}");
            }
        }
    }
}

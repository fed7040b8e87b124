//! Foreground nobody has claimed: which road users explain it?
//!
//! A region is explained greedily by boxes as large as real road users are at
//! that place: the box that accounts for most foreground and least street is
//! taken first, what it covers is removed, and so on. A group of riders thus
//! becomes riders, a bus stays one bus.
//!
//! Source: the idea of explaining a foreground mask by projected models on
//! the ground plane is that of Zhao & Nevatia 2004, Tracking multiple humans
//! in complex situations; boxes and a greedy order keep it cheap.

use std::ops::Range;

use ss_model::VehicleClass;

use super::background::label;
use super::blobs::{Blob, Components};
use super::camera::Rect;
use super::reduce::Plane;
use super::sizes::{Boxes, Kind, Sizes};

/// Least area of anything reported, reduced pixels: below that noise and
/// vehicles cannot be told apart.
const MIN_AREA_PX: f32 = 20.0;
/// Smaller regions are not looked at.
const LEAST_REGION: usize = 12;
/// A region must have this share of a rider's size to be anybody.
const MIN_SHARE: f32 = 0.35;
/// Share of a box that no tracked road user may hide.
const MIN_VISIBLE: f32 = 0.35;
/// A region with less shade than this share of its foreground casts no shadow.
const MAX_SHADE: f32 = 0.1;
/// Share of foreground in a box of which the rest may be its dark parts.
const MIN_LIT: f32 = 0.3;
/// Share of foreground in a box seen from the side: it hides nothing but itself.
const ACROSS_FILL: f32 = 0.8;
/// Sides of a region over those of a road user's box that make it one; shade
/// and noise widen a region more than a followed box (`sizes::FITS`).
const SINGLE_RATIO: (f32, f32) = (0.55, 1.3);
const SINGLE_SCORE: f32 = 0.9;
/// A road user seen for the first time, or seen but not tracked yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Found {
    pub rect: Rect,
    pub class: VehicleClass,
    /// How well the box explains the region, 0–1.
    pub score: f32,
}

/// Who hides a part of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hidden {
    /// Tracked road users, who may have somebody in front of them: what the
    /// mask shows there is nobody's.
    Before,
    /// Road users of whom there is no doubt: the whole place is theirs.
    Known,
}

/// What the regions are cut from.
pub(crate) struct Scene<'a> {
    pub components: &'a Components,
    /// The foreground that nobody claims.
    pub mask: &'a Plane,
    /// Not 0 where the street is hidden, and by whom.
    pub hidden: Option<(&'a Plane, Hidden)>,
    pub sizes: Option<&'a Sizes>,
    /// Share of a newcomer's pixels that must move.
    pub min_moving: f32,
    /// Who may be found: the first of `sizes::KINDS`.
    pub kinds: &'a [Kind],
}

impl Scene<'_> {
    fn hides_known(&self) -> bool {
        self.hidden.is_some_and(|(_, by)| by == Hidden::Known)
    }
}

/// Pixels of a box by what they show.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    foreground: f32,
    moving: f32,
    /// Covered by a tracked road user.
    hidden: f32,
    /// Shadow, or something as dark.
    shade: f32,
}

/// A box that may be a road user.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    gain: f32,
    rect: Rect,
    class: VehicleClass,
    count: Count,
}

/// What was tried in one column.
#[derive(Clone, Copy, Debug, Default)]
struct Tried {
    /// Nothing about it has changed since.
    known: bool,
    best: Option<Candidate>,
    /// Around every box of the column.
    about: Rect,
}

/// Window around one region; buffers are kept between frames.
#[derive(Clone, Debug, Default)]
pub(crate) struct Explainer {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    pixels: Vec<u8>,
    sums: Sums,
    /// Every how many columns a foot is tried.
    step: usize,
    /// Half of the widest box.
    margin: usize,
    tried: Vec<Tried>,
    picture: Rect,
}

/// Road users looked for in one region at most: a queue has fewer near enough
/// to matter, and a camera that was turned, to which all is new, stays fast.
const MAX_PER_REGION: usize = 50;
/// Feet tried in one column at most.
const MAX_FEET: usize = 4;
/// Mark of a hidden pixel in the window.
const HIDDEN: u8 = 255;

impl Explainer {
    /// Fill `found` with the road users in every region of `scene`.
    pub fn explain(&mut self, scene: &Scene, found: &mut Vec<Found>) {
        found.clear();
        for (number, blob) in scene.components.blobs.iter().enumerate() {
            // Standing foreground and noise are nobody.
            let moves = blob.settled < blob.area || scene.min_moving == 0.0;
            if blob.area >= LEAST_REGION && moves {
                self.explain_region(scene, number, found);
            }
        }
    }

    fn explain_region(&mut self, scene: &Scene, number: usize, found: &mut Vec<Found>) {
        let blob = scene.components.blobs[number];
        let whole = Rect { x1: blob.x1 as f32, y1: blob.y1 as f32, x2: blob.x2 as f32, y2: blob.y2 as f32 };
        let area = blob.area as f32;
        let Some(sizes) = scene.sizes else {
            if area >= 2.0 * MIN_AREA_PX {
                let score = 0.5 + 0.5 * area / whole.area();
                found.push(Found { rect: whole, class: VehicleClass::Unknown, score });
            }
            return;
        };
        let Some(boxes) = sizes.at(whole.centre_x(), whole.y2) else { return };
        if area < least(&boxes) {
            return;
        }
        let mut moving = (blob.area - blob.settled) as f32;
        // One of two in a region may be known: only what is left may be somebody.
        let plain = (blob.shade as f32) < MAX_SHADE * area && !scene.hides_known();
        if plain && let Some(class) = single(&boxes, &whole, area / whole.area(), scene.kinds) {
            if moving >= scene.min_moving * area {
                found.push(Found { rect: whole, class, score: SINGLE_SCORE });
            }
            return;
        }
        self.load(&blob, scene, number);
        self.step = ((boxes[0][0].0 / 4.0) as usize).max(1);
        self.margin = boxes.iter().flatten().map(|b| b.0 / 2.0 + 2.0).fold(0.0, f32::max) as usize;
        self.tried.clear();
        self.tried.resize(self.width / self.step + 1, Tried::default());
        for _ in 0..MAX_PER_REGION {
            // Nobody is left who moves.
            if moving < scene.min_moving * MIN_AREA_PX {
                break;
            }
            self.try_columns(sizes, scene.kinds);
            let Some(Candidate { rect, class, count, .. }) = self.best() else { break };
            if count.moving >= scene.min_moving * count.foreground {
                let fill = count.foreground / (rect.area() - count.hidden - count.shade).max(1.0);
                found.push(Found { rect: self.tighten(&rect), class, score: 0.5 + 0.5 * fill.min(1.0) });
            }
            self.remove(&rect);
            moving -= count.moving;
        }
    }

    fn load(&mut self, blob: &Blob, scene: &Scene, number: usize) {
        let mask = scene.mask;
        self.picture = Rect { x1: 0.0, y1: 0.0, x2: mask.width as f32, y2: mask.height as f32 };
        (self.x, self.y) = (blob.x1, blob.y1);
        (self.width, self.height) = (blob.x2 - blob.x1, blob.y2 - blob.y1);
        self.pixels.clear();
        self.pixels.resize(self.width * self.height, label::STREET);
        if let Some((hidden, _)) = scene.hidden {
            for (y, pixels) in (blob.y1..blob.y2).zip(self.pixels.chunks_exact_mut(self.width)) {
                let hidden = &hidden.row(y)[blob.x1..blob.x2];
                pixels
                    .iter_mut()
                    .zip(hidden)
                    .for_each(|(p, &h)| *p = if h == 0 { label::STREET } else { HIDDEN });
            }
        }
        let known = scene.hides_known();
        for (y, x1, x2) in scene.components.runs_of(number) {
            let (row, xs) = ((y - self.y) * self.width, x1 - self.x..x2 - self.x);
            let pixels = &mut self.pixels[row..][xs];
            for (pixel, &shown) in pixels.iter_mut().zip(&mask.row(y)[x1..x2]) {
                *pixel = if known && *pixel == HIDDEN { HIDDEN } else { shown };
            }
        }
    }

    /// The window's columns and rows inside `rect`.
    fn clip(&self, rect: &Rect) -> (Range<usize>, Range<usize>) {
        rect.shifted(-(self.x as f32), -(self.y as f32)).pixels(self.width, self.height)
    }

    /// The box that explains most: foreground in it, less the street in it.
    fn best(&self) -> Option<Candidate> {
        let candidates = self.tried.iter().filter_map(|t| t.best);
        // The first of equal ones.
        candidates.reduce(|best, c| if c.gain > best.gain { c } else { best })
    }

    /// Try what is not known, summing up only the pixels about it.
    fn try_columns(&mut self, sizes: &Sizes, kinds: &[Kind]) {
        let mut tried = std::mem::take(&mut self.tried);
        let unknown = |t: &Tried| !t.known;
        let (first, last) = (tried.iter().position(unknown), tried.iter().rposition(unknown));
        if let Some((first, last)) = first.zip(last) {
            let columns = first * self.step..(last * self.step + 1).min(self.width);
            let xs = columns.start.saturating_sub(self.margin)..(columns.end + self.margin).min(self.width);
            self.sums.fill(&self.pixels, self.width, xs, 0..self.height);
            for (i, tried) in tried.iter_mut().enumerate().filter(|(_, t)| !t.known) {
                *tried = self.try_column(i * self.step, sizes, kinds);
            }
        }
        self.tried = tried;
    }

    /// The best box that stands in column `u`: at each of the lowest ends that
    /// its foreground has, as one of them may be the rim of a shadow.
    fn try_column(&self, u: usize, sizes: &Sizes, kinds: &[Kind]) -> Tried {
        let mut tried = Tried { known: true, ..Tried::default() };
        let x = (self.x + u) as f32;
        let (mut feet, mut reach, mut stood) = (0, self.step, false);
        for y in (0..self.height).rev() {
            let columns = u.saturating_sub(reach)..(u + reach).min(self.width);
            let stands = 2 * self.sums.foreground(columns.clone(), y) as usize > columns.len();
            if stands && !stood {
                let foot = (self.y + y + 1) as f32;
                let Some(boxes) = sizes.at(x, foot) else { break };
                tried.best = self.better(tried.best, (x, foot), &boxes, kinds);
                let most =
                    |side: fn(&(f32, f32)) -> f32| boxes.iter().flatten().map(side).fold(0.0, f32::max);
                tried.about = tried.about.union(&standing(x, foot, (most(|b| b.0), most(|b| b.1))));
                reach = ((boxes[0][0].0 / 4.0) as usize).max(1);
                feet += 1;
                if feet == MAX_FEET {
                    break;
                }
            }
            stood = stands;
        }
        tried
    }

    /// The best of `best` and the boxes with their foot at `(x, y)`.
    fn better(
        &self,
        mut best: Option<Candidate>,
        (x, y): (f32, f32),
        boxes: &Boxes,
        kinds: &[Kind],
    ) -> Option<Candidate> {
        let least = least(boxes);
        for (kind, pair) in kinds.iter().zip(boxes) {
            for (size, min_fill) in pair.iter().zip([kind.min_fill, ACROSS_FILL]) {
                let rect = standing(x, y, *size);
                let (xs, ys) = self.clip(&rect);
                let count = self.sums.count(xs, ys);
                let area = rect.intersect(&self.picture).area();
                let visible = area - count.hidden;
                let lit = visible - count.shade;
                let gain = 2.0 * count.foreground - lit;
                if count.foreground >= least
                    && visible >= MIN_VISIBLE * area
                    && count.foreground >= MIN_LIT * visible
                    && count.foreground >= min_fill * lit
                    && best.is_none_or(|b| gain > b.gain)
                {
                    best = Some(Candidate { gain, rect, class: kind.class, count });
                }
            }
        }
        best
    }

    /// The part of `rect` whose outer rows and columns hold foreground.
    fn tighten(&self, rect: &Rect) -> Rect {
        let (xs, ys) = self.clip(rect);
        let row = |y: usize| {
            self.pixels[y * self.width..][..self.width][xs.clone()]
                .iter()
                .filter(|&&p| is_foreground(p))
                .count()
        };
        let column =
            |x: usize| ys.clone().filter(|&y| is_foreground(self.pixels[y * self.width + x])).count();
        let (wide, tall) = (xs.len() / 5 + 1, ys.len() / 5 + 1);
        let y1 = ys.clone().find(|&y| row(y) >= wide).unwrap_or(ys.start);
        let y2 = ys.clone().rev().find(|&y| row(y) >= wide).map_or(ys.end, |y| y + 1);
        let x1 = xs.clone().find(|&x| column(x) >= tall).unwrap_or(xs.start);
        let x2 = xs.clone().rev().find(|&x| column(x) >= tall).map_or(xs.end, |x| x + 1);
        Rect {
            x1: (self.x + x1) as f32,
            y1: (self.y + y1) as f32,
            x2: (self.x + x2) as f32,
            y2: (self.y + y2) as f32,
        }
    }

    fn remove(&mut self, rect: &Rect) {
        for tried in &mut self.tried {
            // A pixel of both may be cut by rounding.
            tried.known &= tried.about.intersect(&rect.grown_by(2.0)).area() == 0.0;
        }
        let (xs, ys) = self.clip(rect);
        for y in ys {
            self.pixels[y * self.width..][..self.width][xs.clone()].fill(HIDDEN);
        }
    }
}

/// The box of the given size whose foot is at `(x, y)`.
fn standing(x: f32, y: f32, (w, h): (f32, f32)) -> Rect {
    Rect { x1: x - 0.5 * w, y1: y - h, x2: x + 0.5 * w, y2: y }
}

/// Foreground that makes anybody, where boxes have these sizes.
fn least(boxes: &Boxes) -> f32 {
    let (w, h) = boxes[0][0];
    MIN_AREA_PX.max(MIN_SHARE * w * h)
}

/// Summed-area table of a part of the window, one row and column larger:
/// foreground, moving, hidden, shade.
#[derive(Clone, Debug, Default)]
struct Sums {
    xs: Range<usize>,
    ys: Range<usize>,
    table: Vec<[u32; 4]>,
}

impl Sums {
    /// Of columns `xs` and rows `ys` of `pixels`, rows of `width`.
    fn fill(&mut self, pixels: &[u8], width: usize, xs: Range<usize>, ys: Range<usize>) {
        let w = xs.len() + 1;
        self.table.resize(w * (ys.len() + 1), [0; 4]);
        self.table[..w].fill([0; 4]);
        for (i, y) in ys.clone().enumerate() {
            let (above, below) = self.table[i * w..(i + 2) * w].split_at_mut(w);
            let mut row = [0; 4];
            below[0] = row;
            let pixels = &pixels[y * width..][..width][xs.clone()];
            for ((sum, above), &pixel) in below[1..].iter_mut().zip(&above[1..]).zip(pixels) {
                row = plus(row, COUNTED[usize::from(pixel)]);
                *sum = plus(*above, row);
            }
        }
        (self.xs, self.ys) = (xs, ys);
    }

    /// Foreground in columns `xs` of row `y`.
    fn foreground(&self, xs: Range<usize>, y: usize) -> u32 {
        let xs = xs.start.max(self.xs.start)..xs.end.min(self.xs.end);
        let row = |y: usize| &self.table[(y - self.ys.start) * (self.xs.len() + 1)..];
        let (above, below, a, b) = (row(y), row(y + 1), xs.start - self.xs.start, xs.end - self.xs.start);
        below[b][0] + above[a][0] - below[a][0] - above[b][0]
    }

    /// Of columns `xs` and rows `ys`, as far as they lie inside.
    fn count(&self, xs: Range<usize>, ys: Range<usize>) -> Count {
        let cut = |r: Range<usize>, to: &Range<usize>| {
            r.start.clamp(to.start, to.end)..r.end.clamp(to.start, to.end)
        };
        let (xs, ys) = (cut(xs, &self.xs), cut(ys, &self.ys));
        let at =
            |x: usize, y: usize| self.table[(y - self.ys.start) * (self.xs.len() + 1) + x - self.xs.start];
        let [a, b, c, d] =
            [at(xs.end, ys.end), at(xs.start, ys.start), at(xs.start, ys.end), at(xs.end, ys.start)];
        let part = |i: usize| (a[i] + b[i] - c[i] - d[i]) as f32;
        Count { foreground: part(0), moving: part(1), hidden: part(2), shade: part(3) }
    }
}

/// What a pixel adds to each count of the table, by its label.
const COUNTED: [[u32; 4]; 256] = {
    let mut counted = [[1, 0, 0, 0]; 256];
    counted[label::STREET as usize] = [0; 4];
    counted[label::MOVING as usize] = [1, 1, 0, 0];
    counted[HIDDEN as usize] = [0, 0, 1, 0];
    counted[label::SHADOW as usize] = [0, 0, 0, 1];
    counted
};

fn plus(a: [u32; 4], b: [u32; 4]) -> [u32; 4] {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]]
}

fn is_foreground(pixel: u8) -> bool {
    pixel == label::MOVING || pixel == label::SETTLED
}

/// The class of a region that is as large as one road user, and as solid.
fn single(boxes: &Boxes, whole: &Rect, fill: f32, kinds: &[Kind]) -> Option<VehicleClass> {
    let near = |a: f32, b: f32| (SINGLE_RATIO.0..=SINGLE_RATIO.1).contains(&(a / b));
    kinds
        .iter()
        .zip(boxes)
        .filter(|(kind, _)| fill >= kind.min_fill_alone)
        .find(|(_, pair)| pair.iter().any(|&(w, h)| near(whole.width(), w) && near(whole.height(), h)))
        .map(|(kind, _)| kind.class)
}

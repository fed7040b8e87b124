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

use super::blobs::{Blob, Components};
use super::camera::Rect;
use super::mask::Mask;
use super::plane::Plane;
use super::sizes::{Boxes, Kind, Sizes};
use super::window::{Count, HIDDEN, Window, is_foreground};

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
    pub mask: &'a Mask,
    /// Not 0 where the street is hidden, and by whom.
    pub hidden: Option<(&'a Plane, Hidden)>,
    pub sizes: Option<&'a Sizes>,
    /// Only regions near one of these are looked at.
    pub about: Option<&'a [Rect]>,
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

/// A box that may be a road user.
#[derive(Clone, Debug)]
struct Trial {
    rect: Rect,
    /// Columns and rows of the window in it.
    part: (Range<usize>, Range<usize>),
    /// In the picture.
    area: f32,
    /// Foreground that makes anybody there, and share of a box that makes one of this kind.
    least: f32,
    min_fill: f32,
    class: VehicleClass,
    count: Count,
}

impl Trial {
    /// Foreground in the box less the street in it, if it may be anybody.
    fn gain(&self) -> Option<f32> {
        let foreground = self.count.foreground as f32;
        let visible = self.area - self.count.hidden as f32;
        let lit = visible - self.count.shade as f32;
        (self.is_left() && foreground >= MIN_LIT * visible && foreground >= self.min_fill * lit)
            .then_some(2.0 * foreground - lit)
    }

    /// Enough is left of it; removals only take away from that.
    fn is_left(&self) -> bool {
        let visible = self.area - self.count.hidden as f32;
        self.count.foreground as f32 >= self.least && visible >= MIN_VISIBLE * self.area
    }
}

/// What was tried in one column.
#[derive(Clone, Debug, Default)]
struct Column {
    trials: Vec<Trial>,
    /// Columns of the window that say where feet are, and how many of them are
    /// foreground in each row.
    strip: Range<usize>,
    rows: Vec<u8>,
    /// Gain and place of the best of `trials`.
    best: Option<(f32, usize)>,
}

/// Buffers are kept between frames.
#[derive(Clone, Debug, Default)]
pub(crate) struct Explainer {
    window: Window,
    /// Every how many columns a foot is tried, and what was.
    step: usize,
    columns: Vec<Column>,
    /// How many of `columns` are in use.
    tried: usize,
}

/// Road users looked for in one region at most: a queue has fewer near enough
/// to matter, and a camera that was turned, to which all is new, stays fast.
const MAX_PER_REGION: usize = 50;
/// Feet tried in one column at most.
const MAX_FEET: usize = 4;

impl Explainer {
    /// Fill `found` with the road users in every region of `scene`.
    pub fn explain(&mut self, scene: &Scene, found: &mut Vec<Found>) {
        found.clear();
        for (number, blob) in scene.components.blobs.iter().enumerate() {
            // Standing foreground and noise are nobody.
            let moves = blob.settled < blob.area || scene.min_moving == 0.0;
            let asked =
                || scene.about.is_none_or(|r| r.iter().any(|r| blob.rect().intersect(r).area() > 0.0));
            if blob.area >= LEAST_REGION && moves && asked() {
                self.explain_region(scene, number, found);
            }
        }
    }

    fn explain_region(&mut self, scene: &Scene, number: usize, found: &mut Vec<Found>) {
        let blob = scene.components.blobs[number];
        let whole = blob.rect();
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
        self.tried = self.window.width / self.step + 1;
        if self.columns.len() < self.tried {
            self.columns.resize(self.tried, Column::default());
        }
        let picture = Rect { x1: 0.0, y1: 0.0, x2: scene.mask.width as f32, y2: scene.mask.height as f32 };
        for (i, column) in self.columns[..self.tried].iter_mut().enumerate() {
            column.try_feet(&self.window, (i * self.step, self.step), (sizes, scene.kinds), &picture);
        }
        for _ in 0..MAX_PER_REGION {
            // Nobody is left who moves.
            if moving < scene.min_moving * MIN_AREA_PX {
                break;
            }
            let Some(Trial { rect, class, count, .. }) = self.best().cloned() else { break };
            let (foreground, moves) = (count.foreground as f32, count.moving as f32);
            if moves >= scene.min_moving * foreground {
                let fill = foreground / (rect.area() - count.hidden as f32 - count.shade as f32).max(1.0);
                found.push(Found { rect: self.tighten(&rect), class, score: 0.5 + 0.5 * fill.min(1.0) });
            }
            self.remove(&rect, (sizes, scene.kinds), &picture);
            moving -= moves;
        }
    }

    fn load(&mut self, blob: &Blob, scene: &Scene, number: usize) {
        let window = &mut self.window;
        window.open(blob.x1..blob.x2, blob.y1..blob.y2);
        // What the mask shows there is nobody's, or that of the region all the same.
        let (below, above) = match scene.hidden {
            Some((hidden, Hidden::Before)) => (Some(hidden), None),
            Some((hidden, Hidden::Known)) => (None, Some(hidden)),
            None => (None, None),
        };
        hide(window, blob, below);
        for (y, x1, x2) in scene.components.runs_of(number) {
            scene.mask.paint(y, x1, &mut window.row_mut(y - blob.y1)[x1 - blob.x1..x2 - blob.x1]);
        }
        hide(window, blob, above);
        window.seal();
    }

    /// The box that explains most: foreground in it, less the street in it.
    fn best(&self) -> Option<&Trial> {
        let columns = self.columns[..self.tried].iter();
        let candidates = columns.filter_map(|c| c.best.map(|(gain, i)| (gain, &c.trials[i])));
        // The first of equal ones.
        candidates.reduce(|best, c| if c.0 > best.0 { c } else { best }).map(|(_, trial)| trial)
    }

    /// The part of `rect` whose outer rows and columns hold foreground.
    fn tighten(&self, rect: &Rect) -> Rect {
        let window = &self.window;
        let (xs, ys) = window.clip(rect);
        let row = |y: usize| window.row(y)[xs.clone()].iter().filter(|&&p| is_foreground(p)).count();
        let column = |x: usize| ys.clone().filter(|&y| is_foreground(window.row(y)[x])).count();
        let (wide, tall) = (xs.len() / 5 + 1, ys.len() / 5 + 1);
        let y1 = ys.clone().find(|&y| row(y) >= wide).unwrap_or(ys.start);
        let y2 = ys.clone().rev().find(|&y| row(y) >= wide).map_or(ys.end, |y| y + 1);
        let x1 = xs.clone().find(|&x| column(x) >= tall).unwrap_or(xs.start);
        let x2 = xs.clone().rev().find(|&x| column(x) >= tall).map_or(xs.end, |x| x + 1);
        let ((x1, y1), (x2, y2)) = (window.place(x1, y1), window.place(x2, y2));
        Rect { x1, y1, x2, y2 }
    }

    /// Hide what is in `rect`, and take it off what was tried.
    fn remove(&mut self, rect: &Rect, who: (&Sizes, &[Kind]), picture: &Rect) {
        let part = self.window.clip(rect);
        self.window.remove(part.clone());
        for (i, column) in self.columns[..self.tried].iter_mut().enumerate() {
            if meet(&column.strip, &part.0) {
                column.try_feet(&self.window, (i * self.step, self.step), who, picture);
            } else {
                column.lose(&self.window, &part);
            }
        }
    }
}

impl Column {
    /// The boxes that stand in column `u` of `window`: at each of the lowest ends
    /// that its foreground has, as one of them may be the rim of a shadow.
    fn try_feet(
        &mut self,
        window: &Window,
        (u, step): (usize, usize),
        (sizes, kinds): (&Sizes, &[Kind]),
        picture: &Rect,
    ) {
        self.trials.clear();
        // A strip's counts are bytes; no rider is half as wide as that.
        let strip = |reach: usize| u.saturating_sub(reach.min(127))..(u + reach.min(127)).min(window.width);
        let (mut columns, mut end, mut stood) = (strip(step), window.height, false);
        let mut counted = 0..0;
        self.strip = columns.clone();
        for _ in 0..MAX_FEET {
            if counted != columns {
                window.foreground(&columns, end, &mut self.rows);
                counted = columns.clone();
            }
            // The lowest row that stands with one below it that does not.
            let foot = self.rows[..end].iter().rposition(|&n| {
                let stands = 2 * usize::from(n) > columns.len();
                let is_foot = stands && !stood;
                stood = stands;
                is_foot
            });
            let Some(y) = foot else { break };
            let (x, foot) = window.place(u, y + 1);
            let Some(boxes) = sizes.at(x, foot) else { break };
            self.try_foot(window, (x, foot), (&boxes, kinds), picture);
            columns = strip(((boxes[0][0].0 / 4.0) as usize).max(1));
            self.strip = self.strip.start.min(columns.start)..self.strip.end.max(columns.end);
            end = y;
        }
        self.choose();
    }

    /// Try all sizes with the foot at `(x, y)` of the picture.
    fn try_foot(
        &mut self,
        window: &Window,
        (x, y): (f32, f32),
        (boxes, kinds): (&Boxes, &[Kind]),
        picture: &Rect,
    ) {
        let least = least(boxes);
        for (kind, pair) in kinds.iter().zip(boxes) {
            for (size, min_fill) in pair.iter().zip([kind.min_fill, ACROSS_FILL]) {
                let rect = standing(x, y, *size);
                let part = window.clip(&rect);
                let (count, area) = (window.count(&part.0, &part.1), rect.intersect(picture).area());
                let trial = Trial { rect, part, area, least, min_fill, class: kind.class, count };
                if trial.is_left() {
                    self.trials.push(trial);
                }
            }
        }
    }

    /// Take what the latest removal, columns and rows `part`, has taken off every box.
    fn lose(&mut self, window: &Window, part: &(Range<usize>, Range<usize>)) {
        let mut changed = false;
        for trial in &mut self.trials {
            let (xs, ys) = &trial.part;
            if meet(xs, &part.0) && meet(ys, &part.1) {
                trial.count.lose(window.lost(xs, ys));
                changed = true;
            }
        }
        if changed {
            self.choose();
        }
    }

    /// The first of the best.
    fn choose(&mut self) {
        self.best = None;
        for (i, trial) in self.trials.iter().enumerate() {
            if let Some(gain) = trial.gain()
                && self.best.is_none_or(|(best, _)| gain > best)
            {
                self.best = Some((gain, i));
            }
        }
    }
}

/// Hide what is not 0 in `hidden` of the window of `blob`.
fn hide(window: &mut Window, blob: &Blob, hidden: Option<&Plane>) {
    let Some(hidden) = hidden else { return };
    for y in blob.y1..blob.y2 {
        let hidden = &hidden.row(y)[blob.x1..blob.x2];
        let pixels = window.row_mut(y - blob.y1).iter_mut().zip(hidden);
        pixels.for_each(|(pixel, &by)| *pixel = if by == 0 { *pixel } else { HIDDEN });
    }
}

/// Two ranges have something in common.
fn meet(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
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

//! Following what is already tracked.
//!
//! Tracks come back as feedback, so each picture is first explained by the
//! road users known to be in it: every one is moved by the flow of its own
//! visible pixels and then locked to those of its edges that show against the
//! street. Where neighbours hide an edge, the flow alone carries it. This
//! keeps box and foot point steady through merging blobs, which is where
//! contour-based detection goes wrong.

use serde::{Deserialize, Serialize};
use ss_model::{EventTime, Track};

use super::bits::{Bits, Packer, words_of};
use super::camera::{Camera, Rect};
use super::edges::{Seen, lock_edges};
use super::flow::{Motion, Patch};
use super::mask::Mask;
use super::places::Places;
use super::plane::Plane;

/// Share of a target's visible pixels that must be foreground.
const MIN_COVERAGE: f32 = 0.3;
/// Share of its box that must be in view.
const MIN_VISIBLE: f32 = 0.15;
/// Smaller boxes are noise.
const MIN_SIDE_PX: f32 = 3.0;
/// No road user is faster in the street of a town, metres per second.
const MAX_SPEED_MPS: f64 = 33.0;
/// Without calibration: own sizes per second.
const MAX_SPEED_SIZES: f32 = 12.0;

/// A target is kept unseen for this long.
const MEMORY_S: f64 = 1.0;
/// A track is followed after this long whole in the picture: until then what
/// it is may still change from frame to frame.
const MATURE_S: f64 = 0.4;
/// What counts as having moved: beyond drift and shake.
const MOVED_M: f32 = 0.3;
const MOVED_PX: f32 = 2.0;
/// Slower, nothing tells where it is headed.
const MIN_WAY_MPS: f64 = 1.5;
/// Nobody on foot is faster for so long.
const RUNNING_MPS: f64 = 4.0;
const RAN_S: f32 = 0.5;
/// Share of a box's pixels that must change for it to move at all (the rim of
/// a creeping car is more), and for something waiting to have departed.
const MIN_STIRRING: f32 = 0.04;
const MIN_DEPARTING: f32 = 0.2;
/// A standing target is checked once in this many frames.
const GHOST_TURNS: u64 = 8;
/// Overlap that makes a new track the name of a target.
const SAME_IOU: f32 = 0.5;

/// A road user as the detector saw it last.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Target {
    /// Id of its track; 0 until the tracker has confirmed one.
    pub id: u32,
    /// Pixels of the reduced picture.
    pub rect: Rect,
    /// Pixels per second; `None` before the first flow.
    pub velocity: Option<(f32, f32)>,
    /// When it last moved, and was last seen.
    pub moved: EventTime,
    pub seen: EventTime,
    /// Share of its visible pixels in the foreground, share of the box that
    /// no nearer target hides.
    pub coverage: f32,
    pub visible: f32,
    /// How far its pixels have gone since the first picture, as long as that
    /// is next to nothing: it may be no road user at all and is not reported.
    pub waiting: Option<(f32, f32)>,
    /// Its length lies along the line of sight, by the way it went last; `None` before it has gone anywhere.
    pub along: Option<bool>,
    /// How long it has been faster than anybody on foot; endless once that was long enough.
    pub ran_s: f32,
    /// No motion since the frame before.
    pub still: bool,
    /// How often in a row it has been found a part of another road user.
    pub parts: u8,
    /// It is one in the revision that goes on.
    #[serde(skip)]
    pub found_part: bool,
}

/// A track that is not followed yet.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Young {
    id: u32,
    since: EventTime,
}

/// Targets of the current frame, nearest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Targets {
    pub list: Vec<Target>,
    young: Vec<Young>,
    /// Those nearer than the one that is moved, and of them those that may hide a part of it.
    #[serde(skip)]
    hidden_by: Vec<Rect>,
    #[serde(skip)]
    in_front: Vec<Rect>,
    #[serde(skip)]
    patch: Patch,
    #[serde(skip)]
    arch: pulp::Arch,
}

/// The picture before and now, with what is known about their pixels.
pub(crate) struct Views<'a> {
    pub before: &'a Plane,
    /// Foreground of the picture before.
    pub before_mask: &'a Bits,
    pub now: &'a Plane,
    pub mask: &'a Mask,
    pub time: EventTime,
    pub elapsed_s: f32,
}

impl Targets {
    /// Take over the tracks after the previous frame, taken at `time`, and
    /// forget who has not been seen for too long. `scale` are normalised
    /// units per pixel, `size` is that of the reduced picture.
    pub fn sync(&mut self, tracks: &[Track], scale: (f32, f32), size: (usize, usize), time: EventTime) {
        self.list.retain(|t| time.seconds_since(t.seen) <= MEMORY_S);
        self.young.retain(|y| tracks.iter().any(|t| t.id == y.id));
        for track in tracks.iter().filter(|t| t.bbox.is_valid() && t.id > 0) {
            if self.list.iter().any(|t| t.id == track.id) {
                continue;
            }
            let b = track.bbox;
            let rect =
                Rect { x1: b.x1 / scale.0, y1: b.y1 / scale.1, x2: b.x2 / scale.0, y2: b.y2 / scale.1 };
            let unnamed = self.list.iter_mut().filter(|t| t.id == 0).map(|t| (t.rect.iou(&rect), t));
            match unnamed.max_by(|a, b| a.0.total_cmp(&b.0)) {
                Some((iou, target)) if iou >= SAME_IOU => target.id = track.id,
                _ => self.mature(track.id, rect, size, time),
            }
        }
        // Nearest first: the lower foot hides the higher one. Ids break ties.
        self.list.sort_by(|a, b| b.rect.y2.total_cmp(&a.rect.y2).then(a.id.cmp(&b.id)));
    }

    /// A track becomes a target once it has been whole in the picture for a while.
    fn mature(&mut self, id: u32, rect: Rect, size: (usize, usize), time: EventTime) {
        let (w, h) = (size.0 as f32, size.1 as f32);
        let whole = rect.x1 > 1.0 && rect.y1 > 1.0 && rect.x2 < w - 1.0 && rect.y2 < h - 1.0;
        match self.young.iter_mut().find(|y| y.id == id) {
            Some(young) if !whole => young.since = time,
            Some(young) => {
                if time.seconds_since(young.since) >= MATURE_S {
                    self.list.push(Target { id, ..Target::new(rect, time) });
                    self.young.retain(|y| y.id != id);
                }
            }
            None => self.young.push(Young { id, since: time }),
        }
    }

    /// Move every target to where it is now; `owner` receives, per pixel, the
    /// 1-based place in `list` of the nearest target there, 0 for none.
    pub fn follow(&mut self, views: &Views, camera: Option<&Camera>, owner: &mut Places) {
        self.flow(views, camera);
        self.paint(owner);
        let packer = Packer::new();
        for i in 0..self.list.len() {
            let seen = Seen { mask: views.mask, owner: &owner.plane, number: place(i), packer };
            let target = &mut self.list[i];
            let (visible, covered) = self.arch.dispatch(Count { seen: &seen, rect: &target.rect });
            target.visible = visible / target.rect.area().max(1.0);
            target.coverage = if visible > 0.0 { covered / visible } else { 0.0 };
            if target.shows() {
                target.seen = views.time;
                if !target.still {
                    lock_edges(&mut target.rect, &seen, self.arch);
                }
            }
        }
    }

    /// Whose place is held on to at `now`, by the mark in `owner`: who has been seen, and not stood for longer than `hold_s`.
    pub fn held(&self, now: EventTime, hold_s: f64) -> [bool; 256] {
        let mut held = [false; 256];
        for (held, target) in held[1..].iter_mut().zip(&self.list) {
            *held = target.seen == now && now.seconds_since(target.moved) < hold_s;
        }
        held
    }

    /// End the targets that stand and `is_ghost` says are none; every one is
    /// asked in one of a few frames.
    pub fn unmask(&mut self, frame: u64, is_ghost: impl Fn(&Rect) -> bool) {
        for (i, target) in self.list.iter_mut().enumerate() {
            let asked = (frame + i as u64).is_multiple_of(GHOST_TURNS);
            if asked && target.still && target.waiting.is_none() && is_ghost(&target.rect) {
                target.seen = EventTime::MIN;
            }
        }
    }

    fn flow(&mut self, views: &Views, camera: Option<&Camera>) {
        self.hidden_by.clear();
        for target in &mut self.list {
            let rect = target.rect;
            let expected = target.velocity.map(|v| (v.0 * views.elapsed_s, v.1 * views.elapsed_s));
            let stirring = self.arch.dispatch(MovingShare { mask: views.mask, rect: &rect });
            let motion = if stirring < MIN_STIRRING {
                Some(Motion::NONE)
            } else {
                self.in_front.clear();
                // A point's place is rounded; whoever is near enough is asked.
                let about = rect.grown_by(1.0);
                self.in_front.extend(self.hidden_by.iter().filter(|r| r.intersect(&about).area() > 0.0));
                self.patch.take(views.before, views.before_mask, &rect, &self.in_front);
                let reach = reach(&rect, camera, views.elapsed_s);
                self.patch.find(views.now, expected, reach.ceil() as i32)
            };
            self.hidden_by.push(rect);
            let (dx, dy) = match motion {
                Some(m) => (m.dx, m.dy),
                None => expected.unwrap_or_default(),
            };
            target.still = motion.is_some_and(|m| m.dx == 0.0 && m.dy == 0.0);
            if motion.is_some() && views.elapsed_s > 0.0 {
                let seen = (dx / views.elapsed_s, dy / views.elapsed_s);
                target.velocity = Some(match target.velocity {
                    Some(v) => (0.6 * v.0 + 0.4 * seen.0, 0.6 * v.1 + 0.4 * seen.1),
                    None => seen,
                });
            }
            if !target.still {
                target.moved = views.time;
            }
            target.travel(dx, dy, stirring, camera);
            if let Some(camera) = camera {
                target.judge_way(camera, views.elapsed_s);
            }
            target.rect = grown(&rect, dx, dy, camera);
        }
    }

    fn paint(&self, owner: &mut Places) {
        owner.clear();
        for (i, target) in self.list.iter().enumerate().rev() {
            owner.paint(&target.rect, place(i));
        }
    }
}

impl Target {
    /// Found at `rect`, at `time`.
    pub fn new(rect: Rect, time: EventTime) -> Self {
        let (moved, seen) = (time, time);
        Self {
            id: 0,
            rect,
            velocity: None,
            moved,
            seen,
            coverage: 1.0,
            visible: 1.0,
            waiting: None,
            along: None,
            ran_s: 0.0,
            still: false,
            parts: 0,
            found_part: false,
        }
    }

    /// Found at `rect` in the first picture.
    pub fn waiting(rect: Rect, time: EventTime) -> Self {
        Self { waiting: Some((0.0, 0.0)), ..Self::new(rect, time) }
    }

    /// To be reported as seen at `time`.
    pub fn is_reported(&self, time: EventTime) -> bool {
        self.seen == time && self.waiting.is_none()
    }

    /// End the waiting of one whose pixels have gone far enough.
    fn travel(&mut self, dx: f32, dy: f32, stirring: f32, camera: Option<&Camera>) {
        let Some((x, y)) = &mut self.waiting else { return };
        (*x, *y) = (*x + dx, *y + dy);
        let travelled = x.hypot(*y);
        let metre = camera.and_then(|c| c.metre(self.rect.centre_x(), self.rect.y2)).unwrap_or(0.0) as f32;
        if stirring < MIN_STIRRING {
            (*x, *y) = (0.0, 0.0);
        } else if travelled > (MOVED_M * metre).max(MOVED_PX) && stirring >= MIN_DEPARTING {
            self.waiting = None;
        }
    }

    /// What the way it goes says of it.
    pub fn judge_way(&mut self, camera: &Camera, elapsed_s: f32) {
        let Some((vx, vy)) = self.velocity else { return };
        let (x, y) = (self.rect.centre_x(), self.rect.y2);
        let Some((here, there, sight)) = camera
            .ground(x, y)
            .zip(camera.ground(x + vx, y + vy))
            .zip(camera.ground(x, y - 1.0))
            .map(|((a, b), c)| (a, b, c))
        else {
            return;
        };
        let (way, sight) = (there - here, sight - here);
        let mps = way.length();
        if mps >= MIN_WAY_MPS {
            let cosine = (way.x * sight.x + way.y * sight.y) / (mps * sight.length()).max(1e-9);
            self.along = Some(cosine.abs() > std::f64::consts::FRAC_1_SQRT_2);
        }
        if !self.is_fast() {
            self.ran_s = if mps >= RUNNING_MPS { self.ran_s + elapsed_s } else { 0.0 };
        }
    }

    /// It has been faster than anybody on foot.
    pub fn is_fast(&self) -> bool {
        self.ran_s >= RAN_S
    }

    /// Enough of it shows to report it.
    pub fn shows(&self) -> bool {
        let large = self.rect.width() >= MIN_SIDE_PX && self.rect.height() >= MIN_SIDE_PX;
        large && self.coverage >= MIN_COVERAGE && self.visible > MIN_VISIBLE
    }
}

/// Mark of the target at `i` in the owner plane; the last marks are shared by
/// all beyond 255, whose edges then only follow the flow.
fn place(i: usize) -> u8 {
    (i + 1).min(255) as u8
}

/// How far a road user may move in `elapsed_s`, in pixels.
fn reach(rect: &Rect, camera: Option<&Camera>, elapsed_s: f32) -> f32 {
    let pixels = camera
        .and_then(|c| c.metre(rect.centre_x(), rect.y2))
        .map_or(MAX_SPEED_SIZES * rect.width().max(rect.height()) * elapsed_s, |metre| {
            (MAX_SPEED_MPS * metre) as f32 * elapsed_s
        });
    pixels.clamp(2.0, 16.0)
}

/// `rect` moved by `(dx, dy)` and scaled with its distance.
fn grown(rect: &Rect, dx: f32, dy: f32, camera: Option<&Camera>) -> Rect {
    let moved = rect.shifted(dx, dy);
    let metre = |r: &Rect| camera.and_then(|c| c.metre(r.centre_x(), r.y2));
    let before = metre(rect);
    let after = if (dx, dy) == (0.0, 0.0) { before } else { metre(&moved) };
    let Some((before, after)) = before.zip(after) else { return moved };
    let k = ((after / before) as f32).clamp(0.8, 1.25);
    let half = 0.5 * k * moved.width();
    let x = moved.centre_x();
    Rect { x1: x - half, x2: x + half, y1: moved.y2 - k * moved.height(), y2: moved.y2 }
}

/// Visible pixels of a target in `rect`, and how many of them are foreground.
struct Count<'a> {
    seen: &'a Seen<'a>,
    rect: &'a Rect,
}

impl pulp::NullaryFnOnce for Count<'_> {
    type Output = (f32, f32);

    #[inline(always)]
    #[allow(clippy::inline_always)] // the very point
    fn call(self) -> (f32, f32) {
        let (xs, ys) = self.rect.pixels(self.seen.mask.width, self.seen.mask.height);
        let (mut visible, mut covered) = (0, 0);
        for y in ys {
            let set = self.seen.mask.set.row(y);
            for k in words_of(&xs) {
                let mine = self.seen.own(y, k, &xs, false);
                visible += mine.count_ones();
                covered += (mine & set[k]).count_ones();
            }
        }
        (visible as f32, covered as f32)
    }
}

/// Share of the pixels of `rect` that are moving foreground.
struct MovingShare<'a> {
    mask: &'a Mask,
    rect: &'a Rect,
}

impl pulp::NullaryFnOnce for MovingShare<'_> {
    type Output = f32;

    #[inline(always)]
    #[allow(clippy::inline_always)] // the very point
    fn call(self) -> f32 {
        let (xs, ys) = self.rect.pixels(self.mask.width, self.mask.height);
        let all = xs.len() * ys.len();
        if all == 0 { 0.0 } else { self.mask.count_moving(&xs, ys) as f32 / all as f32 }
    }
}

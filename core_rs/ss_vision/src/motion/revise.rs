//! Who is followed, held against the whole picture.
//!
//! A target is followed by its own pixels, so one that began as a part of a
//! vehicle (its roof against the sky, its bonnet behind a bus) would stay a
//! part for as long as it is there. Now and then the whole foreground is
//! explained as if nobody were known, and two laws are applied: nobody is seen
//! through a nearer vehicle, and nobody is smaller than a rider.

use ss_model::EventTime;

use super::camera::Rect;
use super::places::Places;
use super::sizes::Sizes;
use super::targets::Target;
use super::vehicles::Found;

/// Overlap of a target and what explains it anew that makes them one.
const SAME_IOU: f32 = 0.5;
/// Share of a target inside a vehicle's box that may make it a part of that.
const INSIDE: f32 = 0.8;
/// A foot so much higher than the vehicle's, in shares of its height, is farther away.
const FARTHER: f32 = 0.12;
/// Share of a rider's height below which it is nobody.
const MIN_HEIGHT: f32 = 0.6;
/// Times in a row that it must be found a part.
const TIMES: u8 = 3;

/// Mark in `firm` where those of `targets` are who are as large as road users are.
pub(crate) fn mark_firm(targets: &[Target], sizes: &Sizes, now: EventTime, firm: &mut Places) {
    firm.clear();
    for target in targets.iter().filter(|t| t.seen == now && sizes.fits(&t.rect)) {
        firm.paint(&target.rect, 1);
    }
}

/// Fill `rects` with where those of `targets` are, reported at `now`, who are
/// not as large as road users are: only about them does [`revise`] ask.
pub(crate) fn doubtful(targets: &[Target], sizes: &Sizes, now: EventTime, rects: &mut Vec<Rect>) {
    rects.clear();
    let doubted = targets.iter().filter(|t| t.is_reported(now) && !sizes.fits(&t.rect));
    rects.extend(doubted.map(|t| t.rect));
}

/// Make whole the `targets` that are parts of the road users in `found`, as
/// seen at `now`; of several parts of one the largest stays.
pub(crate) fn revise(targets: &mut [Target], found: &[Found], sizes: &Sizes, now: EventTime) {
    let firm: Vec<_> =
        (targets.iter().filter(|t| t.is_reported(now) && sizes.fits(&t.rect))).map(|t| t.rect).collect();
    for target in targets.iter_mut() {
        target.found_part = target.is_reported(now) && firm.iter().any(|w| is_part(&target.rect, w, sizes));
    }
    for whole in found {
        let rect = whole.rect;
        let mut largest: Option<&mut Target> = None;
        for target in targets.iter_mut().filter(|t| t.is_reported(now) && is_part(&t.rect, &rect, sizes)) {
            if sizes.fits(&target.rect) {
                continue;
            }
            target.found_part = true;
            match &mut largest {
                Some(other) if other.rect.area() >= target.rect.area() => {}
                _ => largest = Some(target),
            }
        }
        if let Some(part) = largest
            && part.parts + 1 >= TIMES
        {
            // Another road user than the one that its track was about.
            *part = Target { velocity: part.velocity, ..Target::new(rect, now) };
        }
    }
    for target in targets.iter_mut() {
        target.parts = if target.found_part { target.parts + 1 } else { 0 };
        if target.parts >= TIMES {
            target.seen = EventTime::MIN;
        }
    }
}

fn is_part(t: &Rect, w: &Rect, sizes: &Sizes) -> bool {
    let inside = t.intersect(w).area() >= INSIDE * t.area();
    let small = || sizes.at(t.centre_x(), t.y2).is_some_and(|boxes| t.height() < MIN_HEIGHT * boxes[0][0].1);
    inside && t.iou(w) < SAME_IOU && (w.y2 - t.y2 > FARTHER * w.height() || small())
}

//! Overlap of boxes.

use ss_model::BoxF;

/// Intersection over union, 0–1. Without a branch: whether neighbours touch
/// is a coin toss for the processor.
#[inline]
pub fn iou(a: &BoxF, b: &BoxF) -> f32 {
    let w = (a.x2.min(b.x2) - a.x1.max(b.x1)).max(0.0);
    let h = (a.y2.min(b.y2) - a.y1.max(b.y1)).max(0.0);
    let shared = w * h;
    shared / (a.width() * a.height() + b.width() * b.height() - shared)
}

/// Overlap of the vertical extents over their union, 0–1.
#[inline]
pub fn height_iou(a: &BoxF, b: &BoxF) -> f32 {
    let shared = a.y2.min(b.y2) - a.y1.max(b.y1);
    (shared / (a.y2.max(b.y2) - a.y1.min(b.y1))).max(0.0)
}

/// The box with every side moved out by `share` of its width or height.
#[inline]
pub fn grown(b: &BoxF, share: f32) -> BoxF {
    let (dx, dy) = (share * b.width(), share * b.height());
    BoxF { x1: b.x1 - dx, y1: b.y1 - dy, x2: b.x2 + dx, y2: b.y2 + dy }
}

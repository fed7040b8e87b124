//! Where a frame's time goes: a probe that costs nothing when nobody looks.

/// A step of one frame, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Usable detections into columns, sorted, duplicates dropped.
    Take,
    /// Tracks moved on.
    Predict,
    /// Candidate pairs found and weighed.
    Pair,
    /// Pairs assigned.
    Assign,
    /// Filters corrected, tracks ended and begun, rows written.
    Correct,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 5] = [Self::Take, Self::Predict, Self::Pair, Self::Assign, Self::Correct];
}

/// Told when steps end. `()` is the probe of production: it compiles to nothing.
pub trait Probe {
    /// A frame begins.
    fn begin(&mut self);
    /// What was done since the last call belongs to `step`.
    fn end(&mut self, step: Step);
}

impl Probe for () {
    #[inline]
    fn begin(&mut self) {}
    #[inline]
    fn end(&mut self, _: Step) {}
}

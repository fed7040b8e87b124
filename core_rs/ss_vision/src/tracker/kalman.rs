//! Constant-velocity Kalman filter of a box: four independent filters in four lanes.
//!
//! With measurement and process noise proportional to the box's own size and
//! diagonal (BoT-SORT, Aharon et al. 2022), the 8×8 filter over centre, size
//! and their velocities falls apart *exactly* into four 2×2 filters. A track
//! holds them lane by lane (`[cx, cy, w, h]`), so that one predict or update
//! is a handful of 4-wide vector instructions whatever the number of tracks,
//! and a track that dies is one contiguous record to drop.

use serde::{Deserialize, Serialize};
use ss_model::BoxF;

/// Standard deviation of position noise, share of the size (per nominal step; also of a measurement).
const POSITION: f32 = 0.05;
/// Standard deviation of velocity noise, share of the size per nominal step.
const VELOCITY: f32 = 0.00625;
/// A newborn's uncertainty, in multiples of the above.
const BORN_POSITION: f32 = 2.0;
/// Nothing is known of a newborn's speed.
const BORN_VELOCITY: f32 = 10.0;

type Lanes = [f32; 4];

/// State and covariance; velocities are per nominal step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoxFilter {
    mean: Lanes,
    velocity: Lanes,
    p00: Lanes,
    p01: Lanes,
    p11: Lanes,
}

impl BoxFilter {
    /// A track's first sighting.
    pub fn new(seen: &BoxF) -> Self {
        let mean = lanes(seen);
        let size = [mean[2], mean[3], mean[2], mean[3]];
        let squared = |share: f32| size.map(|s| (share * s) * (share * s));
        Self {
            mean,
            velocity: [0.0; 4],
            p00: squared(BORN_POSITION * POSITION),
            p01: [0.0; 4],
            p11: squared(BORN_VELOCITY * VELOCITY),
        }
    }

    /// Move on by `step` nominal steps; `noise` scales the process noise.
    ///
    /// `holds_size`: an unseen road user does not go on growing.
    #[inline]
    #[allow(clippy::needless_range_loop)] // the same lane of five arrays
    pub fn predict(&mut self, step: f32, noise: f32, holds_size: bool) {
        if holds_size {
            self.velocity[2] = 0.0;
            self.velocity[3] = 0.0;
        }
        let size = [self.mean[2], self.mean[3], self.mean[2], self.mean[3]];
        let (q_position, q_velocity) = (noise * POSITION, noise * VELOCITY);
        for i in 0..4 {
            let (qp, qv) = (q_position * size[i], q_velocity * size[i]);
            self.mean[i] += step * self.velocity[i];
            self.p00[i] += step * (2.0 * self.p01[i] + step * self.p11[i] + qp * qp);
            self.p01[i] += step * self.p11[i];
            self.p11[i] += step * qv * qv;
        }
        // A shrinking box stays a box: it at most halves in one step.
        self.mean[2] = self.mean[2].max(0.5 * size[0]);
        self.mean[3] = self.mean[3].max(0.5 * size[1]);
    }

    /// Correct by a detection.
    #[inline]
    #[allow(clippy::needless_range_loop)] // the same lane of seven arrays
    pub fn update(&mut self, seen: &BoxF) {
        let z = lanes(seen);
        let size = [self.mean[2], self.mean[3], self.mean[2], self.mean[3]];
        for i in 0..4 {
            let r = POSITION * size[i];
            let inverse = 1.0 / (self.p00[i] + r * r);
            let (k0, k1) = (self.p00[i] * inverse, self.p01[i] * inverse);
            let innovation = z[i] - self.mean[i];
            self.mean[i] += k0 * innovation;
            self.velocity[i] += k1 * innovation;
            self.p11[i] -= k1 * self.p01[i];
            self.p01[i] -= k0 * self.p01[i];
            self.p00[i] -= k0 * self.p00[i];
        }
        self.mean[2] = self.mean[2].max(0.5 * size[0]);
        self.mean[3] = self.mean[3].max(0.5 * size[1]);
    }

    /// Squared Mahalanobis distance of a detection's centre from the predicted
    /// one: where prediction and detection are as good as assumed, 95 % of a
    /// road user's own are below 6 (chi-squared, two degrees of freedom).
    #[inline]
    pub fn surprise(&self, seen: &BoxF) -> f32 {
        let z = lanes(seen);
        let share = |i: usize| {
            let (r, innovation) = (POSITION * self.mean[i + 2], z[i] - self.mean[i]);
            innovation * innovation / (self.p00[i] + r * r)
        };
        share(0) + share(1)
    }

    /// Where the filter believes the road user to be.
    #[inline]
    pub fn bbox(&self) -> BoxF {
        let [x, y, w, h] = self.mean;
        BoxF { x1: x - 0.5 * w, y1: y - 0.5 * h, x2: x + 0.5 * w, y2: y + 0.5 * h }
    }

    /// Every number is finite and every variance and size positive.
    pub fn is_sound(&self) -> bool {
        let finite =
            [self.mean, self.velocity, self.p00, self.p01, self.p11].iter().flatten().all(|v| v.is_finite());
        finite
            && self.mean[2] > 0.0
            && self.mean[3] > 0.0
            && self.p00.iter().chain(&self.p11).all(|&v| v >= 0.0)
    }
}

fn lanes(b: &BoxF) -> Lanes {
    [0.5 * (b.x1 + b.x2), 0.5 * (b.y1 + b.y2), b.width(), b.height()]
}

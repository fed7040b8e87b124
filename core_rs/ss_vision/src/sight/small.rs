//! A picture reduced to some 250 columns.

use serde::{Deserialize, Serialize};
use ss_model::LumaFrame;

/// Columns that a picture is reduced to, at least.
const COLUMNS: usize = 240;
/// Rows of a box that are read: the mean of three already has little noise, and rows are what costs.
const ROWS: usize = 3;

/// A plane of bytes without padding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Plane {
    pub width: usize,
    pub height: usize,
    pub data: Vec<u8>,
}

impl Plane {
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height, data: vec![0; width * height] }
    }

    pub fn row(&self, y: usize) -> &[u8] {
        &self.data[y * self.width..][..self.width]
    }

    /// Means of `k`×`k` pixels.
    pub fn reduced(&self, k: usize) -> Self {
        let mut out = Self::new(self.width / k, self.height / k);
        for y in 0..out.height {
            for x in 0..out.width {
                let rows = (0..k).map(|i| &self.row(y * k + i)[x * k..][..k]);
                let sum: usize = rows.flatten().map(|&v| usize::from(v)).sum();
                out.data[y * out.width + x] = ((sum + k * k / 2) / (k * k)) as u8;
            }
        }
        out
    }
}

/// Reduces pictures of one size.
#[derive(Clone, Debug)]
pub(super) struct Small {
    factor: usize,
    pub plane: Plane,
    sums: Vec<u16>,
}

impl Small {
    pub fn new(width: usize, height: usize) -> Self {
        // 64 columns of three rows still fit the sums.
        let factor = (width / COLUMNS).clamp(1, 64).min(height.max(1));
        Self { factor, plane: Plane::new(width / factor, height / factor), sums: Vec::new() }
    }

    /// Reduce `frame`; false when it has nothing to reduce.
    pub fn take(&mut self, frame: &LumaFrame<'_>) -> bool {
        let (k, plane) = (self.factor, &mut self.plane);
        let whole = frame.stride >= frame.width
            && frame.data.len() >= frame.stride * frame.height.saturating_sub(1) + frame.width;
        if plane.data.is_empty() || !whole {
            return false;
        }
        let (columns, rows) = (plane.width * k, k.min(ROWS));
        let area = (rows * k) as u32;
        for (y, out) in plane.data.chunks_exact_mut(plane.width).enumerate() {
            self.sums.clear();
            self.sums.resize(columns, 0);
            for i in 0..rows {
                let row = &frame.data[(y * k + i * k / rows) * frame.stride..][..columns];
                for (sum, &v) in self.sums.iter_mut().zip(row) {
                    *sum += u16::from(v);
                }
            }
            for (out, sums) in out.iter_mut().zip(self.sums.chunks_exact(k)) {
                let sum: u32 = sums.iter().map(|&v| u32::from(v)).sum();
                *out = ((sum + area / 2) / area) as u8;
            }
        }
        true
    }
}

//! A picture of one byte a pixel.

use serde::{Deserialize, Serialize};

/// A plane of bytes without padding between its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plane {
    pub width: usize,
    pub height: usize,
    pub data: Vec<u8>,
}

impl Plane {
    pub fn new(width: usize, height: usize, value: u8) -> Self {
        Self { width, height, data: vec![value; width * height] }
    }

    /// Has this size, and all its bytes; a snapshot may lie.
    pub fn is(&self, width: usize, height: usize) -> bool {
        self.width == width && self.height == height && self.data.len() == width * height
    }

    pub fn row(&self, y: usize) -> &[u8] {
        &self.data[y * self.width..(y + 1) * self.width]
    }

    pub fn row_mut(&mut self, y: usize) -> &mut [u8] {
        &mut self.data[y * self.width..(y + 1) * self.width]
    }
}

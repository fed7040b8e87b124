//! Whose place each pixel is: boxes painted into a plane of bytes.

use std::ops::Range;

use super::camera::Rect;
use super::plane::Plane;

/// 0 where nobody's box is.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub plane: Plane,
    /// Columns and rows that are not 0: few beside the picture, so they alone are cleared.
    painted: Vec<(Range<usize>, Range<usize>)>,
}

impl Places {
    /// Nobody's.
    pub fn new(width: usize, height: usize) -> Self {
        Self { plane: Plane::new(width, height, 0), painted: Vec::new() }
    }

    /// Forget what was painted.
    pub fn clear(&mut self) {
        for (xs, ys) in self.painted.drain(..) {
            ys.for_each(|y| self.plane.row_mut(y)[xs.clone()].fill(0));
        }
    }

    /// Paint the pixels of `rect`, over what was there.
    pub fn paint(&mut self, rect: &Rect, mark: u8) {
        let (xs, ys) = rect.pixels(self.plane.width, self.plane.height);
        ys.clone().for_each(|y| self.plane.row_mut(y)[xs.clone()].fill(mark));
        self.painted.push((xs, ys));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_painted_is_forgotten_and_nothing_else_is_left() {
        let mut places = Places::new(20, 10);
        for round in 0..3 {
            let x = 4.0 * round as f32;
            places.paint(&Rect { x1: x, y1: -3.0, x2: x + 9.0, y2: 5.0 }, 1);
            places.paint(&Rect { x1: x + 3.0, y1: 2.0, x2: 99.0, y2: 99.0 }, 2);
            let (row, at) = (places.plane.row(3), x as usize);
            assert_eq!([row[at], row[at + 2], row[at + 3], row[19]], [1, 1, 2, 2]);
            places.clear();
            assert_eq!(places.plane, Plane::new(20, 10, 0));
        }
    }
}

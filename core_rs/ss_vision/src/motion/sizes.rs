//! How large road users look, wherever they stand in the picture.

use ss_model::VehicleClass;

use super::camera::{Camera, Rect};

/// Side of a cell: sizes in the picture grow evenly with the distance to the
/// horizon, so that they may be interpolated over as many pixels.
const CELL: usize = 8;

/// Sides of a box over those of a road user's that make it one.
const FITS: (f32, f32) = (0.6, 1.4);

/// A kind of road user by its size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub class: VehicleClass,
    /// Outer length, width and height in metres, rider included.
    pub size_m: [f64; 3],
    /// Share of its box that must be foreground: riders are slender, coaches
    /// are boxes, and a row of cars must not pass for one.
    pub min_fill: f32,
    /// The same for a region that is as large as one and stands alone.
    pub min_fill_alone: f32,
}

pub(crate) const KINDS: [Kind; 5] = [
    Kind { class: VehicleClass::Motorcycle, size_m: [1.9, 0.8, 1.65], min_fill: 0.5, min_fill_alone: 0.35 },
    Kind { class: VehicleClass::Car, size_m: [4.4, 1.8, 1.5], min_fill: 0.65, min_fill_alone: 0.65 },
    Kind { class: VehicleClass::Truck, size_m: [6.5, 2.2, 2.8], min_fill: 0.8, min_fill_alone: 0.7 },
    Kind { class: VehicleClass::Bus, size_m: [11.0, 2.5, 3.2], min_fill: 0.8, min_fill_alone: 0.7 },
    Kind { class: VehicleClass::Pedestrian, size_m: [0.5, 0.5, 1.7], min_fill: 0.6, min_fill_alone: 0.5 },
];

/// Width and height in pixels of the box around each of [`KINDS`], its length
/// along the line of sight and across it.
pub(crate) type Boxes = [[(f32, f32); 2]; KINDS.len()];

/// The same, side by side: what is computed of them is vector code.
type Sides = [f32; 4 * KINDS.len()];

/// [`Boxes`] by the place of the foot.
#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    columns: usize,
    /// At the corners of the cells, row by row; `None` at and above the horizon.
    corners: Vec<Option<Sides>>,
}

impl Sizes {
    /// For pictures of `width`×`height` pixels.
    pub fn of(camera: &Camera, width: usize, height: usize) -> Self {
        let (columns, rows) = (width.div_ceil(CELL) + 2, height.div_ceil(CELL) + 2);
        let corner = |i: usize| {
            let stand = camera.stand((i % columns * CELL) as f32, (i / columns * CELL) as f32)?;
            let mut sides = Sides::default();
            for (sides, kind) in sides.as_chunks_mut().0.iter_mut().zip(&KINDS) {
                let [along, across] = [stand.box_of(kind.size_m, true)?, stand.box_of(kind.size_m, false)?];
                *sides = [along.0, along.1, across.0, across.1];
            }
            Some(sides)
        };
        Self { columns, corners: (0..columns * rows).map(corner).collect() }
    }

    /// What stands with its foot at pixel `(x, y)` of the picture, its rim
    /// included; `None` at and above the horizon.
    pub fn at(&self, x: f32, y: f32) -> Option<Boxes> {
        // `as` saturates; a foot outside is taken for one on the rim.
        let (x, y) = (x.max(0.0) / CELL as f32, y.max(0.0) / CELL as f32);
        let rows = self.corners.len() / self.columns;
        let (column, row) = ((x as usize).min(self.columns - 2), (y as usize).min(rows - 2));
        let (fx, fy) = ((x - column as f32).min(1.0), (y - row as f32).min(1.0));
        let corner = |dx: usize, dy: usize| self.corners[(row + dy) * self.columns + column + dx].as_ref();
        let (a, b) = (corner(0, 0)?, corner(1, 0)?);
        let (c, d) = (corner(0, 1)?, corner(1, 1)?);
        let mut sides = Sides::default();
        for (i, side) in sides.iter_mut().enumerate() {
            let (above, below) = (a[i] + fx * (b[i] - a[i]), c[i] + fx * (d[i] - c[i]));
            *side = above + fy * (below - above);
        }
        let mut boxes = Boxes::default();
        boxes
            .as_flattened_mut()
            .iter_mut()
            .zip(sides.as_chunks().0)
            .for_each(|(size, &[w, h])| *size = (w, h));
        Some(boxes)
    }

    /// `rect` is as large as one road user that stands there.
    pub fn fits(&self, rect: &Rect) -> bool {
        let near = |a: f32, b: f32| (FITS.0..=FITS.1).contains(&(a / b));
        self.at(rect.centre_x(), rect.y2).is_some_and(|boxes| {
            boxes.iter().flatten().any(|&(w, h)| near(rect.width(), w) && near(rect.height(), h))
        })
    }

    /// Class by the size of the box: the road user whose box comes nearest. `along` says how its length lies, where
    /// that is known: a car from in front is as wide as a motorcycle from the side. Nobody `fast` is on foot.
    pub fn class(&self, rect: &Rect, along: Option<bool>, fast: bool) -> VehicleClass {
        let mut best = (f32::MAX, VehicleClass::Unknown);
        let Some(boxes) = self.at(rect.centre_x(), rect.y2) else { return best.1 };
        for (kind, pair) in KINDS.iter().zip(boxes) {
            if fast && kind.class == VehicleClass::Pedestrian {
                continue;
            }
            let pair = match along {
                Some(true) => &pair[..1],
                Some(false) => &pair[1..],
                None => &pair[..],
            };
            for &(w, h) in pair {
                let off = (rect.width() / w).ln().abs() + (rect.height() / h).ln().abs();
                if off < best.0 {
                    best = (off, kind.class);
                }
            }
        }
        best.1
    }
}

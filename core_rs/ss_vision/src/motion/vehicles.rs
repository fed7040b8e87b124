//! Blobs to road users: size in metres, class, score.

use ss_model::{BoxF, Detection, Track, VehicleClass};

use super::blobs::Blob;
use super::camera::{Camera, Rect};

/// Smallest side and area of a detection in reduced pixels: below that a blob
/// is noise as often as a vehicle.
const MIN_SIDE_PX: f32 = 3.0;
const MIN_AREA_PX: usize = 12;

/// Outer size of a road user in metres.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub class: VehicleClass,
    pub length: f64,
    pub width: f64,
    pub height: f64,
}

/// Typical outer sizes: rider included, mirrors excluded.
pub(crate) const SIZES: [Size; 5] = [
    Size { class: VehicleClass::Pedestrian, length: 0.4, width: 0.55, height: 1.7 },
    Size { class: VehicleClass::Motorcycle, length: 1.9, width: 0.75, height: 1.6 },
    Size { class: VehicleClass::Car, length: 4.4, width: 1.8, height: 1.5 },
    Size { class: VehicleClass::Truck, length: 7.0, width: 2.4, height: 3.0 },
    Size { class: VehicleClass::Bus, length: 11.0, width: 2.5, height: 3.2 },
];

/// Class by the size of the box: what stands at its foot and is as large.
pub(crate) fn class_by_size(camera: &Camera, rect: &Rect) -> Option<VehicleClass> {
    let ground = camera.ground(rect.centre_x(), rect.y2)?;
    let (_, top) = camera.project(ground, 1.0)?;
    let metre = f64::from(rect.y2 - top);
    if !(metre.is_finite() && metre > 0.0) {
        return None;
    }
    let (width, height) = (f64::from(rect.width()) / metre, f64::from(rect.height()) / metre);
    Some(match (width, height) {
        (w, h) if w < 1.4 && h < 2.6 => VehicleClass::Motorcycle,
        (w, h) if w < 5.5 && h < 2.9 => VehicleClass::Car,
        (w, _) if w < 8.0 => VehicleClass::Truck,
        _ => VehicleClass::Bus,
    })
}

/// The detection of a blob by itself; `None` when it is too small to be one.
pub(crate) fn detection(blob: &Blob, camera: Option<&Camera>, scale: (f32, f32)) -> Option<Detection> {
    let rect = Rect { x1: blob.x1 as f32, y1: blob.y1 as f32, x2: blob.x2 as f32, y2: blob.y2 as f32 };
    if blob.area < MIN_AREA_PX || rect.width() < MIN_SIDE_PX || rect.height() < MIN_SIDE_PX {
        return None;
    }
    let class = match camera {
        Some(camera) => class_by_size(camera, &rect)?,
        None => VehicleClass::Unknown,
    };
    let fill = blob.area as f32 / rect.area();
    Some(Detection {
        bbox: BoxF {
            x1: rect.x1 * scale.0,
            y1: rect.y1 * scale.1,
            x2: rect.x2 * scale.0,
            y2: rect.y2 * scale.1,
        },
        score: (0.4 + 0.6 * fill).min(1.0),
        class,
        flags: Track::CLASS_BY_SIZE,
    })
}

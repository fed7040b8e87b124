//! The tracker allocates while it grows to the traffic it meets, and never again.

use ss_model::{BoxF, Detection, EventTime, VehicleClass};
use ss_vision::tracker::{Tracker, TrackerParams};

/// Forty vehicles on a ring, side by side enough to compete; every seventh detection is missing, some are doubled.
fn frame(number: usize) -> Vec<Detection> {
    let mut seen = Vec::new();
    for v in 0..40 {
        if (number + 3 * v).is_multiple_of(7) {
            continue;
        }
        let x = ((number * (2 + v % 5) + 37 * v) % 1000) as f32;
        let bbox = BoxF { x1: x, y1: 30.0 * (v % 6) as f32, x2: x + 60.0, y2: 30.0 * (v % 6) as f32 + 40.0 };
        let score = if (number + v).is_multiple_of(5) { 0.3 } else { 0.8 };
        seen.push(Detection { bbox, score, class: VehicleClass::Car, flags: 0 });
        if v.is_multiple_of(11) {
            seen.push(Detection { score: 0.5, class: VehicleClass::Truck, ..seen[seen.len() - 1] });
        }
    }
    seen
}

#[test]
fn no_allocation_once_grown() {
    for params in [TrackerParams::vehicle(), TrackerParams::pedestrian(), TrackerParams::motion()] {
        let frames: Vec<_> = (0..2000).map(frame).collect();
        let mut tracker = Tracker::new(params).unwrap();
        let mut rows = 0;
        let mut go = |tracker: &mut Tracker, from: usize| {
            for (i, seen) in frames.iter().enumerate() {
                rows += tracker.update(EventTime((from + i) as i64 * 40_000_000), seen).len();
            }
        };
        go(&mut tracker, 0);
        let counted = allocation_counter::measure(|| go(&mut tracker, 2000));
        assert_eq!(counted.count_total, 0);
        assert!(rows > 50_000, "{rows}");
    }
}

//! What a model says, made into road users: duplicates go, riders and their vehicles become one.

use ss_model::{BoxF, Detection, VehicleClass};

use crate::tracker::iou;

/// A two-wheeler surer than this takes a person as its rider; a fainter one
/// may be a bag or a shadow beside a walker.
const MIN_VEHICLE_SCORE: f32 = 0.2;
/// Share of the narrower box's width in which rider and vehicle must overlap.
const MIN_ALONG: f32 = 0.5;
/// Persons that one two-wheeler may carry.
const MAX_RIDERS: usize = 4;

/// Greedy non-maximum suppression within each class: indices of the boxes
/// that stay, by falling score (the same score: by index), `most` at most.
///
/// Boxes that are not finite, empty or scored below 0 never stay.
pub fn suppress(boxes: &[BoxF], scores: &[f32], classes: &[u8], limit: f32, most: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..boxes.len() as u32)
        .filter(|&i| boxes[i as usize].is_valid() && scores[i as usize] >= 0.0)
        .collect();
    order.sort_unstable_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]).then(a.cmp(&b)));
    let mut kept: Vec<u32> = Vec::new();
    for i in order {
        if kept.len() == most {
            break;
        }
        let (b, class) = (&boxes[i as usize], classes[i as usize]);
        let hidden = |&k: &u32| classes[k as usize] == class && iou(&boxes[k as usize], b) > limit;
        if !kept.iter().any(hidden) {
            kept.push(i);
        }
    }
    kept
}

/// Persons on motorcycles and bicycles become part of them, as one vehicle
/// with rider: its box covers all, its score is the surest of all. Persons
/// who ride nothing stay pedestrians.
pub fn merge_riders(detections: &mut Vec<Detection>) {
    let two_wheeled = |d: &Detection| matches!(d.class, VehicleClass::Motorcycle | VehicleClass::Bicycle);
    let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
    for (v, vehicle) in detections.iter().enumerate() {
        if !two_wheeled(vehicle) || vehicle.score < MIN_VEHICLE_SCORE {
            continue;
        }
        for (p, person) in detections.iter().enumerate() {
            if person.class == VehicleClass::Pedestrian
                && let Some(fit) = sits_on(&person.bbox, &vehicle.bbox)
            {
                pairs.push((fit, p, v));
            }
        }
    }
    // Best pairs first; places decide between equals, so the order given does not matter.
    let corner = |i: usize| (detections[i].bbox.x1, detections[i].bbox.y1);
    pairs.sort_unstable_by(|a, b| {
        let places = |&(_, p, v): &(f32, usize, usize)| [corner(p), corner(v)];
        let by_place = places(a).iter().zip(places(b)).fold(std::cmp::Ordering::Equal, |so_far, (a, b)| {
            so_far.then(a.0.total_cmp(&b.0)).then(a.1.total_cmp(&b.1))
        });
        b.0.total_cmp(&a.0).then(by_place)
    });
    let mut rides = vec![false; detections.len()];
    let mut riders = vec![0; detections.len()];
    for (_, p, v) in pairs {
        if rides[p] || riders[v] == MAX_RIDERS {
            continue;
        }
        rides[p] = true;
        riders[v] += 1;
        let person = detections[p];
        let vehicle = &mut detections[v];
        let (a, b) = (vehicle.bbox, person.bbox);
        vehicle.bbox =
            BoxF { x1: a.x1.min(b.x1), y1: a.y1.min(b.y1), x2: a.x2.max(b.x2), y2: a.y2.max(b.y2) };
        vehicle.score = vehicle.score.max(person.score);
    }
    let mut rides = rides.iter();
    detections.retain(|_| rides.next().is_some_and(|rides| !rides));
}

/// How well a person sits on a two-wheeler: over it, from above the saddle
/// to no lower than the wheels. `None`: beside it, behind it, or standing.
fn sits_on(person: &BoxF, vehicle: &BoxF) -> Option<f32> {
    let (width, height) = (vehicle.width(), vehicle.height());
    if !person.is_valid() || !vehicle.is_valid() {
        return None;
    }
    let along = (person.x2.min(vehicle.x2) - person.x1.max(vehicle.x1)) / person.width().min(width);
    let head_above = person.y1 < vehicle.y1 + 0.35 * height;
    let seated = person.y2 > vehicle.y1 + 0.1 * height && person.y2 < vehicle.y2 + 0.15 * height;
    let in_scale = (0.4..3.5).contains(&(person.height() / height)) && person.width() < 2.0 * width;
    (along >= MIN_ALONG && head_above && seated && in_scale).then_some(along)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(class: VehicleClass, score: f32, x1: f32, y1: f32, x2: f32, y2: f32) -> Detection {
        Detection { bbox: BoxF { x1, y1, x2, y2 }, score, class, flags: 0 }
    }

    use VehicleClass::{Car, Motorcycle, Pedestrian};

    #[test]
    fn rider_and_motorcycle_are_one_vehicle() {
        let mut all = vec![
            seen(Pedestrian, 0.8, 10.0, 0.0, 30.0, 45.0),
            seen(Motorcycle, 0.5, 8.0, 25.0, 32.0, 60.0),
            seen(Car, 0.9, 50.0, 0.0, 100.0, 60.0),
        ];
        merge_riders(&mut all);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0], seen(Motorcycle, 0.8, 8.0, 0.0, 32.0, 60.0));
    }

    #[test]
    fn two_riders_sit_on_one_motorcycle() {
        let mut all = vec![
            seen(Pedestrian, 0.8, 10.0, 0.0, 30.0, 45.0),
            seen(Pedestrian, 0.7, 12.0, 5.0, 34.0, 48.0),
            seen(Motorcycle, 0.5, 8.0, 25.0, 34.0, 60.0),
        ];
        merge_riders(&mut all);
        assert_eq!(all.len(), 1);
    }

    #[test]
    fn who_walks_beside_or_behind_stays_on_foot() {
        for walker in [
            seen(Pedestrian, 0.8, 40.0, 0.0, 60.0, 60.0),  // beside
            seen(Pedestrian, 0.8, 10.0, 20.0, 30.0, 90.0), // in front, nearer to the camera
            seen(Pedestrian, 0.8, 10.0, 0.0, 14.0, 9.0),   // far behind
        ] {
            let mut all = vec![walker, seen(Motorcycle, 0.5, 8.0, 25.0, 32.0, 60.0)];
            merge_riders(&mut all);
            assert_eq!(all.len(), 2, "{walker:?}");
        }
        let faint = seen(Motorcycle, 0.15, 8.0, 25.0, 32.0, 60.0);
        let mut all = vec![seen(Pedestrian, 0.8, 10.0, 0.0, 30.0, 45.0), faint];
        merge_riders(&mut all);
        assert_eq!(all.len(), 2, "a faint motorcycle takes nobody");
    }

    fn any_box() -> impl Strategy<Value = BoxF> {
        let side = prop_oneof![4 => -9f32..99.0, 1 => Just(f32::NAN), 1 => Just(f32::INFINITY)];
        (side.clone(), side.clone(), side.clone(), side).prop_map(|(x1, y1, x2, y2)| BoxF { x1, y1, x2, y2 })
    }

    proptest! {
        #[test]
        fn what_stays_is_valid_and_apart(
            found in proptest::collection::vec((any_box(), -1f32..1.0, 0u8..3), 0..40), limit in 0.1f32..0.9,
        ) {
            let boxes: Vec<BoxF> = found.iter().map(|f| f.0).collect();
            let scores: Vec<f32> = found.iter().map(|f| f.1).collect();
            let classes: Vec<u8> = found.iter().map(|f| f.2).collect();
            let kept = suppress(&boxes, &scores, &classes, limit, 10);
            prop_assert!(kept.len() <= 10);
            for (n, &i) in kept.iter().enumerate() {
                prop_assert!(boxes[i as usize].is_valid());
                for &j in &kept[..n] {
                    let apart = iou(&boxes[i as usize], &boxes[j as usize]) <= limit;
                    prop_assert!(classes[i as usize] != classes[j as usize] || apart);
                }
            }
        }

        #[test]
        fn merging_never_invents_and_does_not_depend_on_the_order(
            found in proptest::collection::vec((any_box(), 0f32..1.0, 0u8..7), 0..20),
        ) {
            let all: Vec<Detection> = found.iter().map(|&(bbox, score, code)| Detection {
                bbox, score, class: VehicleClass::from_code(code).unwrap_or_default(), flags: 0 }).collect();
            let (mut one, mut two) = (all.clone(), all.into_iter().rev().collect::<Vec<_>>());
            let vehicles = one.iter().filter(|d| d.class != Pedestrian).count();
            merge_riders(&mut one);
            merge_riders(&mut two);
            prop_assert_eq!(one.iter().filter(|d| d.class != Pedestrian).count(), vehicles);
            two.reverse();
            let text = |d: &[Detection]| format!("{d:?}"); // NaN equals itself as text
            prop_assert_eq!(text(&one), text(&two));
        }
    }
}

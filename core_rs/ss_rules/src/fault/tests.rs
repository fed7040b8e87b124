//! Every fault, and signals that only look faulty.

use super::*;
use SignalState::{Amber, Dark, Green, Red, Unknown};

fn at(s: f64) -> EventTime {
    EventTime(0).plus_seconds(s)
}

/// Cycles of 78 s of two groups that are never green together.
fn cycles(n: i32) -> (FaultMonitor, Vec<Notice>) {
    let (mut monitor, mut out) = (FaultMonitor::new(vec![false; 2]), Vec::new());
    for k in 0..n {
        for (s, group, state) in
            [(0, 0, Red), (2, 1, Green), (12, 1, Amber), (15, 1, Red), (56, 0, Green), (75, 0, Amber)]
        {
            monitor.change(at(f64::from(78 * k + s)), group, state, &mut out);
        }
    }
    (monitor, out)
}

fn told(out: &[Notice]) -> Vec<(FaultVerb, u16, FaultKind, f64, f64)> {
    let kind = |n: &Notice| *n.kinds.last().expect("a fault has a kind");
    out.iter()
        .map(|n| {
            let seconds = |t: EventTime| (t.seconds_since(at(0.0)) * 1e3).round() / 1e3;
            (n.verb, n.group, kind(n), seconds(n.time), seconds(n.since))
        })
        .collect()
}

#[test]
fn a_signal_that_works_is_believed() {
    assert_eq!(cycles(30).1, []);
}

#[test]
fn before_a_plan_is_known_no_red_is_believed_for_longer_than_five_minutes() {
    let (mut monitor, mut out) = (FaultMonitor::new(vec![false; 2]), Vec::new());
    monitor.change(at(0.0), 0, Red, &mut out);
    monitor.change(at(5.0), 1, Green, &mut out);
    monitor.tick(at(299.0), &mut out);
    assert_eq!(out, []);
    monitor.tick(at(900.0), &mut out);
    assert_eq!(told(&out), [(FaultVerb::Opened, 0, FaultKind::Stuck, 300.0, 0.0)]);
}

#[test]
fn what_does_not_change_is_stuck_since_it_last_did() {
    let (mut monitor, mut out) = cycles(4);
    monitor.change(at(312.0), 0, Red, &mut out);
    monitor.change(at(314.0), 1, Green, &mut out);
    monitor.change(at(324.0), 1, Amber, &mut out);
    monitor.change(at(327.0), 1, Red, &mut out);
    monitor.tick(at(427.0), &mut out);
    assert_eq!(out, []);
    monitor.tick(at(440.0), &mut out);
    assert_eq!(told(&out), [(FaultVerb::Opened, 0, FaultKind::Stuck, 427.0, 312.0)]);
    monitor.tick(at(900.0), &mut out);
    assert_eq!(out.iter().filter(|n| n.group == 0).count(), 1, "told once");
}

#[test]
fn dark_and_silent_are_told_at_once_and_flashing_is_none() {
    for (state, kind) in [(Dark, FaultKind::Dark), (Unknown, FaultKind::Missing)] {
        let (mut monitor, mut out) = cycles(1);
        monitor.change(at(78.0), 0, Red, &mut out);
        monitor.change(at(100.0), 0, state, &mut out);
        assert_eq!(told(&out), [(FaultVerb::Opened, 0, kind, 100.0, 78.0)]);
    }
    let (mut monitor, mut out) = cycles(4);
    monitor.change(at(312.0), 0, Red, &mut out);
    monitor.change(at(330.0), 0, SignalState::FlashingAmber, &mut out);
    assert_eq!(out, []);
}

#[test]
fn lamps_that_nobody_sees_are_no_fault() {
    let (mut monitor, mut out) = (FaultMonitor::new(vec![true]), Vec::new());
    for (s, state) in [(0, Red), (30, Unknown), (33, Red), (50, Green)] {
        monitor.change(at(f64::from(s)), 0, state, &mut out);
    }
    assert_eq!(out, []);
}

#[test]
fn a_witness_may_be_late_but_not_of_another_opinion() {
    let (mut monitor, mut out) = cycles(2);
    let mut tell = |lines: &[(f64, bool, SignalState)]| {
        out.clear();
        for &(s, seen, state) in lines {
            if seen {
                monitor.witness(at(s), 0, state, &mut out);
            } else {
                monitor.change(at(s), 0, state, &mut out);
            }
        }
        // The other group says nothing any more.
        told(&out).into_iter().filter(|n| n.1 == 0).collect::<Vec<_>>()
    };
    let cycle = [(156.0, false, Red), (156.3, true, Red), (170.0, true, Unknown), (171.0, true, Red)];
    assert_eq!(tell(&cycle), []);
    assert_eq!(tell(&[(212.0, false, Green), (212.4, true, Green)]), []);
    // The lamps still show green.
    assert_eq!(
        tell(&[(231.0, false, Amber), (234.0, false, Red)]),
        [(FaultVerb::Opened, 0, FaultKind::Disagreement, 233.0, 231.0)]
    );
    // Half a cycle in agreement does not end it, a whole one does.
    assert_eq!(tell(&[(290.0, false, Green), (309.0, false, Amber), (312.0, false, Red)]), []);
    assert_eq!(tell(&[(368.0, false, Green), (387.0, false, Amber), (387.2, true, Amber)]), []);
    let closed = tell(&[
        (390.0, false, Red),
        (390.2, true, Red),
        (446.0, false, Green),
        (446.2, true, Green),
        (465.0, false, Amber),
    ]);
    assert_eq!(closed.iter().map(|n| n.0).collect::<Vec<_>>(), [FaultVerb::Closed]);
}

#[test]
fn green_together_is_a_conflict_of_both() {
    let (mut monitor, mut out) = cycles(5);
    monitor.change(at(390.0), 0, Red, &mut out);
    monitor.change(at(392.0), 1, Green, &mut out);
    monitor.change(at(395.0), 0, Green, &mut out);
    monitor.tick(at(397.0), &mut out);
    let conflicts = out.iter().filter(|n| n.kinds.contains(&FaultKind::Conflict));
    let told: Vec<_> = conflicts.map(|n| (n.group, n.since.min(at(392.0)) == n.since)).collect();
    assert_eq!(told, [(0, true), (1, true)]);
}

#[test]
fn a_state_skipped_or_cut_short_is_an_outlier_and_a_whole_cycle_ends_it() {
    let (mut monitor, mut out) = cycles(4);
    monitor.change(at(312.0), 0, Red, &mut out);
    monitor.change(at(316.0), 0, Green, &mut out);
    assert_eq!(told(&out), [(FaultVerb::Opened, 0, FaultKind::CycleOutlier, 316.0, 312.0)]);
    for (s, state) in [(335.0, Amber), (338.0, Red), (394.0, Green), (413.0, Amber)] {
        monitor.change(at(s), 0, state, &mut out);
    }
    assert_eq!(out.last().map(|n| (n.verb, n.time)), Some((FaultVerb::Closed, at(413.0))));
    let (mut monitor, mut out) = cycles(4);
    monitor.change(at(312.0), 0, Green, &mut out);
    assert_eq!(out.len(), 1, "amber is followed by red");
}

#[test]
fn a_column_on_two_lanes_is_no_offence_and_single_riders_are() {
    let (mut monitor, mut out) = cycles(4);
    monitor.change(at(312.0), 0, Red, &mut out);
    for n in 0..8 {
        let time = at(320.0 + 6.0 * f64::from(n));
        monitor.red_run(time, (0, time, at(312.0)), (0, Some(n as u16 % 2)), &mut out);
    }
    assert_eq!(out, [], "one every six seconds");
    for n in 0..8 {
        let time = at(370.0 + 1.5 * f64::from(n));
        monitor.red_run(time, (0, time, at(312.0)), (0, Some(n as u16 % 2)), &mut out);
    }
    assert_eq!(told(&out).last().map(|n| (n.2, n.4)), Some((FaultKind::Platoon, 312.0)));
}

#[test]
fn a_feed_that_tells_its_plan_late_is_not_believed_before_nobody_runs_its_red() {
    let (mut monitor, mut out) = cycles(4);
    let run = |monitor: &mut FaultMonitor, s: f64, group: u16, onset: f64, lane, out: &mut Vec<Notice>| {
        monitor.red_run(at(s), (group, at(s), at(onset)), (0, Some(lane)), out);
    };
    // Two in the cycle before the column, and two of the other group in each cycle after it.
    for k in 4..12 {
        for (s, group, state) in
            [(0, 0, Red), (2, 1, Green), (12, 1, Amber), (15, 1, Red), (56, 0, Green), (75, 0, Amber)]
        {
            let time = f64::from(78 * k + s);
            monitor.change(at(time), group, state, &mut out);
            match (k, s) {
                (4 | 6..=8, 15) => {
                    run(&mut monitor, time + 5.0, 1, time, 0, &mut out);
                    run(&mut monitor, time + 9.0, 1, time, 0, &mut out);
                }
                (5, 0) => {
                    for n in 0..8_u16 {
                        run(&mut monitor, time + 8.0 + f64::from(n), 0, time, n % 2, &mut out);
                    }
                }
                _ => {}
            }
        }
    }
    let found = told(&out);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!((found[0].0, found[0].1, found[0].2), (FaultVerb::Opened, 0, FaultKind::Platoon));
    assert!(found[0].4 <= 78.0 * 4.0 + 15.0, "since the red that the first of them ran");
    assert_eq!(found[1].0, FaultVerb::Closed, "{found:?}");
    assert!(found[1].3 > 78.0 * 9.0, "a whole cycle after the last of them: {found:?}");
}

#[test]
fn another_plan_is_learnt_and_believed() {
    let (mut monitor, mut out) = cycles(4);
    let mut t = 312.0;
    for k in 0..6 {
        for (state, lasts) in [(Red, 20.0), (Green, 8.0), (Amber, 3.0)] {
            monitor.change(at(t), 0, state, &mut out);
            t += lasts;
        }
        if out.last().is_some_and(|n| n.verb == FaultVerb::Closed) {
            assert!(k >= 3);
            return;
        }
    }
    panic!("{out:?}");
}

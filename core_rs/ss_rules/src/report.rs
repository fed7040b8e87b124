//! Findings as JSON for the stages to come: names instead of indices.

use std::collections::BTreeMap;

use serde::Serialize;
use ss_model::{EventTime, VehicleClass};

use crate::camera::Watch;
use crate::fault::{FaultKind, FaultVerb, Notice};
use crate::outcome::{Candidate, Explanation, Passage, Reason, RuleKind, Verdict};
use crate::traffic::Minute;

/// One outcome as the caller gets it.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Report<'a> {
    /// A line was crossed.
    Crossing(CrossingReport<'a>),
    /// A minute of a lane.
    Flow(FlowReport<'a>),
    /// A verdict about an act.
    Violation(Box<ViolationReport<'a>>),
    /// News about a signal that cannot be believed.
    Fault(FaultReport<'a>),
}

/// A signal fault with its names.
#[derive(Serialize)]
pub struct FaultReport<'a> {
    verb: FaultVerb,
    time_ns: i64,
    since_ns: i64,
    group: &'a str,
    faults: Vec<FaultKind>,
    state: &'static str,
    witness: Option<&'static str>,
    lasted_s: f64,
    longest_s: Option<f64>,
}

/// A crossing with its names.
#[derive(Serialize)]
pub struct CrossingReport<'a> {
    time_ns: i64,
    interval_ns: [i64; 2],
    camera: &'a str,
    run: u32,
    track: u32,
    class: VehicleClass,
    lane: Option<&'a str>,
    line: &'a str,
    direction: &'static str,
    unseen: bool,
}

/// A minute of a lane with its names.
#[derive(Serialize)]
pub struct FlowReport<'a> {
    time_ns: i64,
    camera: &'a str,
    lane: &'a str,
    counts: BTreeMap<VehicleClass, u32>,
    mean_speed_mps: Option<f64>,
    occupancy: Option<f64>,
    queue: u32,
    observed_s: f64,
}

/// A verdict with its names.
#[derive(Serialize)]
pub struct ViolationReport<'a> {
    kind: RuleKind,
    verdict: Verdict,
    reasons: Vec<&'static str>,
    time_ns: i64,
    until_ns: Option<i64>,
    camera: &'a str,
    run: u32,
    track: Option<u32>,
    class: VehicleClass,
    lane: Option<&'a str>,
    line: Option<&'a str>,
    zone: Option<&'a str>,
    signal: Option<SignalReport<'a>>,
    dilemma: bool,
    explanation: &'a Explanation,
}

#[derive(Serialize)]
struct SignalReport<'a> {
    group: &'a str,
    state: &'static str,
    /// Seconds the state had lasted; absent while unknown from the start.
    since_s: Option<f64>,
}

impl<'a> Report<'a> {
    /// A crossing.
    pub fn crossing(watch: &'a Watch, run: u32, passage: &Passage) -> Self {
        Self::Crossing(CrossingReport {
            time_ns: passage.time.0,
            interval_ns: passage.interval.map(|t| t.0),
            camera: &watch.id,
            run,
            track: passage.track,
            class: passage.class,
            lane: passage.lane.map(|i| watch.layout.lanes[usize::from(i)].id.as_str()),
            line: &watch.layout.lines[usize::from(passage.line)].id,
            direction: if passage.forward { "forward" } else { "backward" },
            unseen: passage.unseen,
        })
    }

    /// A minute of a lane.
    pub fn flow(watch: &'a Watch, minute: Minute) -> Self {
        let thousandths = |x: f64| (x * 1e3).round() / 1e3;
        Self::Flow(FlowReport {
            time_ns: minute.start.0,
            camera: &watch.id,
            lane: &watch.layout.lanes[usize::from(minute.lane)].id,
            counts: minute.counts,
            mean_speed_mps: minute.mean_speed_mps.map(thousandths),
            occupancy: minute.occupancy.map(thousandths),
            queue: minute.queue,
            observed_s: thousandths(minute.observed_s),
        })
    }

    /// News about a fault.
    pub fn fault(groups: &'a [String], notice: &Notice) -> Self {
        Self::Fault(FaultReport {
            verb: notice.verb,
            time_ns: notice.time.0,
            since_ns: notice.since.0,
            group: &groups[usize::from(notice.group)],
            faults: notice.kinds.iter().copied().collect(),
            state: notice.state.name(),
            witness: notice.witness.map(ss_model::SignalState::name),
            lasted_s: notice.lasted_s,
            longest_s: notice.longest_s,
        })
    }

    /// A verdict.
    pub fn violation(
        watch: &'a Watch,
        groups: &'a [String],
        run: u32,
        c: &'a Candidate,
        (verdict, reasons): (Verdict, &[Reason]),
    ) -> Self {
        let layout = &watch.layout;
        Self::Violation(Box::new(ViolationReport {
            kind: c.kind,
            verdict,
            reasons: reasons.iter().map(|r| r.name()).collect(),
            time_ns: c.time.0,
            until_ns: c.until.map(|t| t.0),
            camera: &watch.id,
            run,
            track: c.track,
            class: c.class,
            lane: c.lane.map(|i| layout.lanes[usize::from(i)].id.as_str()),
            line: c.line.map(|i| layout.lines[usize::from(i)].id.as_str()),
            zone: c.zone.map(|i| layout.zones[usize::from(i)].id.as_str()),
            signal: c.signal.map(|s| SignalReport {
                group: &groups[usize::from(s.group)],
                state: s.phase.state.name(),
                since_s: (s.phase.since > EventTime::MIN)
                    .then(|| (c.time.seconds_since(s.phase.since) * 1e3).round() / 1e3),
            }),
            dilemma: c.dilemma,
            explanation: &c.explanation,
        }))
    }
}

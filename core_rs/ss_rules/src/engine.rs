//! The engine of a junction: every camera, every signal, in event time.
//!
//! Input is queued and judged only when the frontier has passed it, in the
//! order (instant, camera): the answers do not depend on how the input was
//! cut into calls, on which side spoke first, or on a stop and resume
//! anywhere in between.

mod faults;

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use ss_model::{Error, EventTime, Result, SignalState, Track, TrackBatch};

use crate::camera::{Around, CameraState, Reading, Watch};
use crate::condition::{Condition, RETRACTABLE_S};
use crate::config::JunctionConfig;
use crate::fault::FaultMonitor;
use crate::hours::Calendar;
use crate::ledger::CameraCounts;
use crate::outcome::{Candidate, Finding, Reason, Verdict};
use crate::report::Report;
use crate::signals::{Phase, SignalHistory};
use crate::suppression::{Conditions, Stretch};
use crate::traffic::Minute;
use crate::verdict::judge;

/// First byte of a snapshot.
const SNAPSHOT_VERSION: u8 = 29;

/// Judges one junction.
#[derive(Debug)]
pub struct JunctionEngine {
    groups: Vec<String>,
    cameras: Vec<Watch>,
    calendar: Calendar,
    /// Tells whether a snapshot was made under this configuration.
    config_mark: u64,
    state: State,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    frontier: EventTime,
    /// Newest frame that was judged, by the instant at which it was due.
    judged: EventTime,
    signals: Vec<SignalHistory>,
    /// Signal lines that the frontier has not passed yet, for `faults`; the last part tells a witness.
    coming: BTreeMap<(EventTime, u16, bool), SignalState>,
    faults: FaultMonitor,
    /// Signal lines at or before the frontier: too late to be used.
    late_signals: u64,
    cameras: Vec<CameraState>,
    queues: Vec<Queue>,
    /// Readings of meters that the frontier has not passed yet, by time.
    readings: VecDeque<(u16, Reading)>,
    conditions: Conditions,
    /// What was suspected lately, for the case that it must be taken back.
    suspected: VecDeque<Suspected>,
    /// To be told with the next outcomes.
    retracted: Vec<(Suspected, Condition)>,
}

/// A suspicion that was told.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Suspected {
    camera: u16,
    run: u32,
    candidate: Candidate,
}

/// Input of one camera that the frontier has not passed yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Queue {
    items: VecDeque<Item>,
    /// Newest frame ever queued.
    newest: EventTime,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Item {
    Frame { run: u32, time: EventTime, tracks: Vec<Track> },
    Gap { time: EventTime },
}

impl Item {
    fn time(&self) -> EventTime {
        match self {
            Self::Frame { time, .. } | Self::Gap { time } => *time,
        }
    }
}

impl JunctionEngine {
    /// Check and compile the configuration.
    ///
    /// # Errors
    /// `InvalidInput` naming what in it cannot be used.
    pub fn new(config_json: &[u8]) -> Result<Self> {
        let config = JunctionConfig::from_json(config_json)?;
        let cameras =
            config.cameras.iter().map(|c| Watch::new(c, &config.groups)).collect::<Result<Vec<_>>>()?;
        let state = State {
            frontier: EventTime::MIN,
            judged: EventTime::MIN,
            signals: vec![SignalHistory::default(); config.groups.len()],
            coming: BTreeMap::new(),
            faults: FaultMonitor::new(config.groups.iter().map(|g| config.read_groups.contains(g)).collect()),
            late_signals: 0,
            cameras: vec![CameraState::default(); cameras.len()],
            queues: vec![Queue { items: VecDeque::new(), newest: EventTime::MIN }; cameras.len()],
            readings: VecDeque::new(),
            conditions: Conditions::default(),
            suspected: VecDeque::new(),
            retracted: Vec::new(),
        };
        let calendar = Calendar::new(config.utc_offsets);
        Ok(Self { groups: config.groups, cameras, calendar, config_mark: fnv1a(config_json), state })
    }

    /// Group `group` shows what `phase` says, by its source or by a witness
    /// beside it. A line at or before the frontier is too late: it is
    /// counted, and changes nothing.
    ///
    /// # Errors
    /// `InvalidInput` for a group that the configuration does not have, or a
    /// phase that began after it was seen.
    pub fn signal(&mut self, phase: Phase, group: u16, witness: bool) -> Result<()> {
        let frontier = self.state.frontier;
        let history = self.history(group)?;
        if phase.after > phase.since {
            return Err(Error::invalid(format!("signal group {group}: expected `after` not after the time")));
        }
        if phase.since <= frontier {
            self.state.late_signals += 1;
            return Ok(());
        }
        if witness {
            history.insert_witness(phase);
        } else {
            history.insert(phase);
        }
        self.state.coming.insert((phase.since, group, witness), phase.state);
        Ok(())
    }

    /// A line of group `group` came too late: from `from` on the group
    /// showed `state`, and up to `until` nothing that came in time says
    /// otherwise. Where that speaks against what the group was taken for,
    /// what was suspected meanwhile is taken back with the next outcomes.
    ///
    /// # Errors
    /// `InvalidInput` for a group that the configuration does not have.
    pub fn late_signal(
        &mut self,
        group: u16,
        state: SignalState,
        (from, until): (EventTime, EventTime),
    ) -> Result<()> {
        let until = self.history(group)?.contradicted(state, (from, until));
        if let Some(until) = until {
            // What follows is younger than it was taken for.
            let age_s = self.cameras.iter().map(|watch| watch.phase_age_s).fold(0.0, f64::max);
            let until = until.plus_seconds(age_s);
            let condition = Condition::SignalLate;
            self.lift(Stretch { from, until, condition, camera: None, lane: None, group: None });
        }
        Ok(())
    }

    /// Frames of a camera, in order. A frame that the frontier or a newer
    /// frame has passed is counted as late and skipped; answers how many.
    ///
    /// # Errors
    /// `InvalidInput` for an unknown camera or bytes that are no batch.
    pub fn tracks(&mut self, camera: u16, batch: &[u8]) -> Result<u64> {
        let at = self.camera(camera)?;
        let batch = TrackBatch::from_bytes(batch)?;
        let passed = self.passed(at);
        let (queue, counts) = (&mut self.state.queues[at], &mut self.state.cameras[at].counts);
        let before = counts.late_frames;
        for i in 0..batch.frames() {
            let (time, _, tracks) = batch.frame(i);
            if time <= queue.newest || time <= passed {
                counts.late_frames += 1;
                continue;
            }
            queue.newest = time;
            queue.items.push_back(Item::Frame { run: batch.run, time, tracks: tracks.to_vec() });
        }
        Ok(counts.late_frames - before)
    }

    /// The session of a camera broke at `time`: nothing open then can be proved.
    ///
    /// # Errors
    /// `InvalidInput` for an unknown camera.
    pub fn gap(&mut self, camera: u16, time: EventTime) -> Result<()> {
        let at = self.camera(camera)?;
        let queue = &mut self.state.queues[at];
        queue.items.push_back(Item::Gap { time: time.max(queue.newest) });
        Ok(())
    }

    /// A condition lifts rules from `time` until `until`, at one camera (by
    /// name) or at all, in one lane or in all. What was suspected under it
    /// before it became known is taken back with the next outcomes.
    ///
    /// # Errors
    /// `InvalidInput` for a camera that the junction does not have.
    pub fn condition(
        &mut self,
        (from, until): (EventTime, EventTime),
        condition: Condition,
        camera: Option<&str>,
        lane: Option<&str>,
    ) -> Result<()> {
        let camera = camera.map(|id| self.camera_called(id)).transpose()?;
        let lane = lane.map(str::to_owned);
        self.lift(Stretch { from, until, condition, camera, lane, group: None });
        Ok(())
    }

    /// A meter measured a speed in a lane of a camera (by name), or of the first that has one of that name. It is
    /// judged when the frontier has passed it.
    ///
    /// # Errors
    /// `InvalidInput` for a speed that is none, an unknown camera, or a lane that is not there.
    pub fn reading(&mut self, camera: Option<&str>, reading: Reading) -> Result<()> {
        if !(reading.speed_kmh.is_finite() && reading.speed_kmh >= 0.0) {
            return Err(Error::invalid(format!("meter: expected a speed, found {}", reading.speed_kmh)));
        }
        let camera = camera.map(|id| self.camera_called(id)).transpose()?.map(usize::from);
        let has_lane = |w: &Watch| w.layout.lanes.iter().any(|l| l.id == reading.lane);
        let mut there = self.cameras.iter().enumerate().filter(|(_, w)| has_lane(w)).map(|(at, _)| at);
        let at = there.find(|&at| camera.is_none_or(|own| own == at));
        let at =
            at.ok_or_else(|| Error::invalid(format!("meter: no camera has a lane {:?}", reading.lane)))?;
        let readings = &mut self.state.readings;
        let after = readings.partition_point(|(_, r)| r.time <= reading.time);
        readings.insert(after, (at as u16, reading));
        Ok(())
    }

    /// Everything up to and including `frontier` has been handed in: judge
    /// it. Answers the outcomes as a JSON list in the order of decision, then
    /// time, camera, track and kind.
    ///
    /// # Errors
    /// `Internal` when the outcomes cannot be written.
    pub fn advance(&mut self, frontier: EventTime) -> Result<Vec<u8>> {
        let mut out = Outbox::default();
        self.run_to(frontier, &mut out)?;
        Ok(out.close())
    }

    /// The input has ended: judge what is left and settle what is open.
    ///
    /// # Errors
    /// `Internal` when the outcomes cannot be written.
    pub fn finish(&mut self) -> Result<Vec<u8>> {
        let mut out = Outbox::default();
        self.run_to(EventTime::MAX, &mut out)?;
        for at in 0..self.cameras.len() {
            self.end_run(at, &mut out)?;
            let minutes = self.state.cameras[at].traffic.close(&self.cameras[at].layout.lanes);
            self.publish_traffic(at, minutes, &mut out)?;
        }
        Ok(out.close())
    }

    /// Counts of every camera by its name, as JSON, with the late signal lines.
    ///
    /// # Errors
    /// `Internal` when they cannot be written.
    pub fn ledger(&self) -> Result<Vec<u8>> {
        #[derive(Serialize)]
        struct Ledger<'a> {
            late_signals: u64,
            cameras: BTreeMap<&'a str, &'a CameraCounts>,
        }
        let cameras =
            self.cameras.iter().zip(&self.state.cameras).map(|(w, s)| (w.id.as_str(), &s.counts)).collect();
        to_json(&Ledger { late_signals: self.state.late_signals, cameras })
    }

    /// The whole state: a version byte, a mark of the configuration, the rest.
    ///
    /// # Errors
    /// `Internal` when it cannot be written.
    pub fn snapshot(&self) -> Result<Vec<u8>> {
        let mut bytes = vec![SNAPSHOT_VERSION];
        bytes.extend_from_slice(&self.config_mark.to_le_bytes());
        postcard::to_extend(&self.state, bytes)
            .map_err(|e| Error::internal(format!("rule engine snapshot: {e}")))
    }

    /// Carry on from a snapshot made under the same configuration.
    ///
    /// # Errors
    /// `InvalidInput` for another version or configuration, `DataLoss` for
    /// bytes that cannot be read back.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        let Some((version, rest)) = bytes.split_first() else {
            return Err(Error::new(ss_model::ErrorKind::DataLoss, "rule engine snapshot: it is empty"));
        };
        if *version != SNAPSHOT_VERSION {
            return Err(Error::invalid(format!(
                "rule engine snapshot: expected version {SNAPSHOT_VERSION}, found {version}"
            )));
        }
        let torn = |what: String| Error::data_loss(format!("rule engine snapshot: {what}"));
        let (mark, rest) = rest.split_first_chunk::<8>().ok_or_else(|| torn("it is cut short".into()))?;
        if u64::from_le_bytes(*mark) != self.config_mark {
            return Err(Error::invalid("rule engine snapshot: it was made under another configuration"));
        }
        self.state = postcard::from_bytes(rest).map_err(|e| torn(e.to_string()))?;
        Ok(())
    }

    /// A condition holds: what was suspected under it is taken back.
    fn lift(&mut self, stretch: Stretch) {
        let (kept, gone) = std::mem::take(&mut self.state.suspected).into_iter().partition(|told| {
            let watch = &self.cameras[usize::from(told.camera)];
            !stretch.covers(told.camera, watch.lane_name(told.candidate.lane), &told.candidate)
        });
        let gone: VecDeque<Suspected> = gone;
        self.state.suspected = kept;
        self.state.retracted.extend(gone.into_iter().map(|told| (told, stretch.condition)));
        self.state.conditions.insert(stretch);
    }

    fn history(&mut self, group: u16) -> Result<&mut SignalHistory> {
        let known = self.groups.len();
        let history = self.state.signals.get_mut(usize::from(group));
        history.ok_or_else(|| Error::invalid(format!("signal group {group}: the junction has {known}")))
    }

    fn camera_called(&self, id: &str) -> Result<u16> {
        let at = self.cameras.iter().position(|w| w.id == id);
        at.map(|i| i as u16).ok_or_else(|| Error::invalid(format!("no camera is called {id:?}")))
    }

    fn camera(&self, camera: u16) -> Result<usize> {
        let (at, known) = (usize::from(camera), self.cameras.len());
        if at < known {
            Ok(at)
        } else {
            Err(Error::invalid(format!("camera {camera}: the junction has {known}")))
        }
    }

    /// Newest instant of a camera that has been judged.
    fn passed(&self, at: usize) -> EventTime {
        self.state.frontier.plus_seconds(-self.cameras[at].layout.clock_s)
    }

    fn run_to(&mut self, frontier: EventTime, out: &mut Outbox) -> Result<()> {
        self.state.frontier = self.state.frontier.max(frontier);
        self.publish_retractions(out)?;
        // A frame is due when every signal that its interval may meet is known.
        loop {
            let next = self.next_due().filter(|(due, _)| *due <= self.state.frontier);
            let until = next.map_or(self.state.frontier, |(due, _)| due);
            self.judge_readings(until, next.is_some(), out)?;
            self.watch_signals(until, next.is_some(), out)?;
            let Some((due, at)) = next else { return Ok(()) };
            let Some(item) = self.state.queues[at].items.pop_front() else { return Ok(()) };
            self.state.judged = due;
            match item {
                Item::Frame { run, time, tracks } => {
                    if run != self.state.cameras[at].run {
                        self.end_run(at, out)?;
                        self.state.cameras[at].run = run;
                    }
                    let lanes = &self.cameras[at].layout.lanes;
                    let minutes = self.state.cameras[at].traffic.begin(lanes, time);
                    self.publish_traffic(at, minutes, out)?;
                    let mut found = Vec::new();
                    let around = Around { signals: &self.state.signals, calendar: &self.calendar };
                    self.cameras[at].frame(around, &mut self.state.cameras[at], time, &tracks, &mut found);
                    self.publish(at, found, out)?;
                }
                Item::Gap { .. } => self.end_run(at, out)?,
            }
            for history in &mut self.state.signals {
                history.prune(due);
            }
            self.state.conditions.prune(due);
            let horizon = due.plus_seconds(-RETRACTABLE_S);
            while self.state.suspected.front().is_some_and(|told| told.candidate.last() < horizon) {
                self.state.suspected.pop_front();
            }
        }
    }

    /// Judge readings before `until`; at it, too, when no frame is left there.
    fn judge_readings(&mut self, until: EventTime, frame_follows: bool, out: &mut Outbox) -> Result<()> {
        let is_due = |r: &Reading| r.time < until || !frame_follows && r.time <= until;
        while let Some(time) = self.state.readings.front().filter(|(_, r)| is_due(r)).map(|(_, r)| r.time) {
            self.watch_signals(time, false, out)?;
            let Some((at, reading)) = self.state.readings.pop_front() else { break };
            let at = usize::from(at);
            let found = self.cameras[at].reading(&mut self.state.cameras[at], &reading);
            self.publish(at, found.into_iter().collect(), out)?;
        }
        Ok(())
    }

    /// Settle every open track of a camera.
    fn end_run(&mut self, at: usize, out: &mut Outbox) -> Result<()> {
        let mut found = Vec::new();
        let around = Around { signals: &self.state.signals, calendar: &self.calendar };
        self.cameras[at].end_run(around, &mut self.state.cameras[at], &mut found);
        self.publish(at, found, out)
    }

    fn next_due(&self) -> Option<(EventTime, usize)> {
        let heads = self.state.queues.iter().enumerate().filter_map(|(at, queue)| {
            let item = queue.items.front()?;
            Some((item.time().plus_seconds(self.cameras[at].layout.clock_s), at))
        });
        heads.min()
    }

    fn publish(&mut self, at: usize, mut found: Vec<Finding>, out: &mut Outbox) -> Result<()> {
        found.sort_by_key(Finding::order);
        let mut news = Vec::new();
        for finding in found {
            let (watch, state) = (&self.cameras[at], &mut self.state.cameras[at]);
            match finding {
                Finding::Passage(passage) => {
                    state.counts.crossings += 1;
                    if let Some(lane) = watch.counted_in(&passage) {
                        state.traffic.crossed(lane, passage.class);
                    }
                    out.add(&Report::crossing(watch, state.run, &passage))?;
                }
                Finding::Candidate(candidate) => {
                    let (camera, run) = (at as u16, state.run);
                    let lane = watch.lane_name(candidate.lane);
                    let lifted = self.state.conditions.lifting(camera, lane, &candidate);
                    let (verdict, reasons) = judge(&candidate, lifted);
                    state.counts.outcome(candidate.kind, verdict);
                    out.add(&Report::violation(watch, &self.groups, run, &candidate, (verdict, &reasons)))?;
                    if let Some(red) = Self::red_run(&candidate, lifted) {
                        self.state.faults.red_run(
                            self.state.judged,
                            red,
                            (camera, candidate.lane),
                            &mut news,
                        );
                    }
                    if verdict == Verdict::Suspected {
                        self.state.suspected.push_back(Suspected { camera, run, candidate });
                    }
                }
            }
        }
        self.tell_faults(&news, out)
    }

    fn publish_traffic(&self, at: usize, minutes: Vec<Minute>, out: &mut Outbox) -> Result<()> {
        minutes.into_iter().try_for_each(|m| out.add(&Report::flow(&self.cameras[at], m)))
    }

    fn publish_retractions(&mut self, out: &mut Outbox) -> Result<()> {
        for (told, condition) in std::mem::take(&mut self.state.retracted) {
            let at = usize::from(told.camera);
            self.state.cameras[at].counts.outcome(told.candidate.kind, Verdict::Retracted);
            let verdict = (Verdict::Retracted, &[Reason::Condition(condition)][..]);
            out.add(&Report::violation(&self.cameras[at], &self.groups, told.run, &told.candidate, verdict))?;
        }
        Ok(())
    }
}

/// A JSON list that grows.
#[derive(Default)]
struct Outbox {
    json: Vec<u8>,
}

impl Outbox {
    fn add(&mut self, report: &Report<'_>) -> Result<()> {
        self.json.push(if self.json.is_empty() { b'[' } else { b',' });
        let item = to_json(report)?;
        self.json.extend_from_slice(&item);
        Ok(())
    }

    fn close(mut self) -> Vec<u8> {
        if self.json.is_empty() {
            self.json.push(b'[');
        }
        self.json.push(b']');
        self.json
    }
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::internal(format!("rule engine outcome: {e}")))
}

/// FNV-1a: the same on every machine and version, unlike the standard hasher.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

//! The engine's side of signal faults: what they lift, and how they are told.

use ss_model::{EventTime, Result};

use super::{JunctionEngine, Outbox};
use crate::condition::Condition;
use crate::fault::{FaultVerb, Notice};
use crate::outcome::{Candidate, RuleKind};
use crate::report::Report;
use crate::suppression::Stretch;

impl JunctionEngine {
    /// Signal lines up to `until`, where a frame may follow.
    pub(super) fn watch_signals(
        &mut self,
        until: EventTime,
        frame_follows: bool,
        out: &mut Outbox,
    ) -> Result<()> {
        let mut news = Vec::new();
        while let Some(line) = self.state.coming.first_entry().filter(|line| line.key().0 <= until) {
            let ((time, group, witness), state) = line.remove_entry();
            if witness {
                self.state.faults.witness(time, group, state, &mut news);
            } else {
                self.state.faults.change(time, group, state, &mut news);
            }
        }
        if frame_follows {
            self.state.faults.tick(until, &mut news);
        }
        self.tell_faults(&news, out)
    }

    /// A red run that nothing but a fault lifts: it may be one of a column.
    pub(super) fn red_run(
        candidate: &Candidate,
        lifted: Option<Condition>,
    ) -> Option<(u16, EventTime, EventTime)> {
        let counts = candidate.kind == RuleKind::RedLight
            && candidate.doubts.is_empty()
            && lifted.is_none_or(|c| c == Condition::SignalFault);
        let signal = candidate.signal.filter(|_| counts)?;
        Some((signal.group, candidate.time, signal.phase.since))
    }

    pub(super) fn tell_faults(&mut self, news: &[Notice], out: &mut Outbox) -> Result<()> {
        for notice in news {
            let open = Stretch {
                from: notice.since,
                until: EventTime::MAX,
                condition: Condition::SignalFault,
                camera: None,
                lane: None,
                group: Some(notice.group),
            };
            out.add(&Report::fault(&self.groups, notice))?;
            match notice.verb {
                FaultVerb::Opened | FaultVerb::Updated => self.lift(open),
                FaultVerb::Closed => self.state.conditions.end_fault(notice.group, notice.time),
            }
        }
        if news.is_empty() { Ok(()) } else { self.publish_retractions(out) }
    }
}

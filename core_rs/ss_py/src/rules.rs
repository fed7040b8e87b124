//! The rule engine of a junction.

use numpy::PyReadonlyArray1;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use ss_model::{Error, EventTime, SignalState};
use ss_rules::Condition;
use ss_rules::Phase;
use ss_rules::Reading;

use crate::enter::enter;
use crate::error::to_py;

fn state_of(code: u8) -> ss_model::Result<SignalState> {
    SignalState::from_code(code)
        .ok_or_else(|| Error::invalid(format!("signals: no state has the code {code}")))
}

#[pyclass(module = "smartstream._core")]
struct JunctionEngine {
    engine: ss_rules::JunctionEngine,
}

#[pymethods]
impl JunctionEngine {
    #[new]
    fn new(py: Python<'_>, config: &[u8]) -> PyResult<Self> {
        Ok(Self { engine: enter(py, || ss_rules::JunctionEngine::new(config))? })
    }

    #[pyo3(signature = (time_ns, group, state, *, after_ns = None, witness = false))]
    fn signals(
        &mut self,
        py: Python<'_>,
        time_ns: PyReadonlyArray1<'_, i64>,
        group: PyReadonlyArray1<'_, u16>,
        state: PyReadonlyArray1<'_, u8>,
        after_ns: Option<PyReadonlyArray1<'_, i64>>,
        witness: bool,
    ) -> PyResult<()> {
        let (time_ns, group, state) = (time_ns.as_slice()?, group.as_slice()?, state.as_slice()?);
        let after_ns = after_ns.as_ref().map_or(Ok(time_ns), |after| after.as_slice())?;
        if [group.len(), state.len(), after_ns.len()] != [time_ns.len(); 3] {
            let found = format!("{}, {}, {} and {}", time_ns.len(), group.len(), state.len(), after_ns.len());
            return Err(to_py(
                py,
                &Error::invalid(format!("signals: expected columns of one length, found {found}")),
            ));
        }
        enter(py, || {
            for (((&time, &group), &code), &after) in time_ns.iter().zip(group).zip(state).zip(after_ns) {
                let phase = Phase { since: EventTime(time), after: EventTime(after), state: state_of(code)? };
                self.engine.signal(phase, group, witness)?;
            }
            Ok(())
        })
    }

    fn late_signal(
        &mut self,
        py: Python<'_>,
        group: u16,
        state: u8,
        from_ns: i64,
        until_ns: i64,
    ) -> PyResult<()> {
        enter(py, || {
            self.engine.late_signal(group, state_of(state)?, (EventTime(from_ns), EventTime(until_ns)))
        })
    }

    fn tracks(&mut self, py: Python<'_>, camera: u16, batch: &[u8]) -> PyResult<u64> {
        enter(py, || self.engine.tracks(camera, batch))
    }

    fn gap(&mut self, py: Python<'_>, camera: u16, at_ns: i64) -> PyResult<()> {
        enter(py, || self.engine.gap(camera, EventTime(at_ns)))
    }

    #[pyo3(signature = (time_ns, until_ns, condition, *, camera = None, lane = None))]
    fn condition(
        &mut self,
        py: Python<'_>,
        time_ns: i64,
        until_ns: i64,
        condition: &str,
        camera: Option<&str>,
        lane: Option<&str>,
    ) -> PyResult<()> {
        let span = (EventTime(time_ns), EventTime(until_ns));
        enter(py, || self.engine.condition(span, Condition::named(condition)?, camera, lane))
    }

    #[pyo3(signature = (time_ns, lane, speed_kmh, certified, *, camera = None))]
    fn reading(
        &mut self,
        py: Python<'_>,
        time_ns: i64,
        lane: String,
        speed_kmh: f64,
        certified: bool,
        camera: Option<&str>,
    ) -> PyResult<()> {
        let time = EventTime(time_ns);
        enter(py, || self.engine.reading(camera, Reading { time, lane, speed_kmh, certified }))
    }

    fn advance<'py>(&mut self, py: Python<'py>, frontier_ns: i64) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &enter(py, || self.engine.advance(EventTime(frontier_ns)))?))
    }

    fn finish<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &enter(py, || self.engine.finish())?))
    }

    fn ledger<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &enter(py, || self.engine.ledger())?))
    }

    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &enter(py, || self.engine.snapshot())?))
    }

    fn restore(&mut self, py: Python<'_>, snapshot: &[u8]) -> PyResult<()> {
        enter(py, || self.engine.restore(snapshot))
    }
}

/// Add the class to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<JunctionEngine>()
}

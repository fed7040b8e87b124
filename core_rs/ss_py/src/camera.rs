//! `CameraRun`: a camera's chain behind a queue.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use numpy::{PyArray1, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};
use ss_camera::{CameraConfig, CameraRun, Item, Polled};
use ss_ingest::Ring;
use ss_ingest::live::LiveRun;
use ss_model::{Error, EventTime, Result};
use ss_vision::lamps::LEAST_LAMP_PX;

use crate::detector::PyDetectorHub;
use crate::enter::enter;

/// `None` once closed. Several threads may call; they wait for each other.
#[pyclass(name = "CameraRun", module = "smartstream._core", frozen)]
struct PyCameraRun {
    run: Mutex<Option<CameraRun>>,
}

impl PyCameraRun {
    fn with<T>(&self, work: impl FnOnce(&mut CameraRun) -> Result<T>) -> Result<T> {
        // A panic in there left a whole value behind: each of its methods changes one thing.
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        work(run.as_mut().ok_or_else(|| Error::invalid("this camera run is closed"))?)
    }
}

#[pymethods]
impl PyCameraRun {
    #[new]
    #[pyo3(signature = (config, resume=None, state_dir=None, hub=None))]
    fn new(
        py: Python<'_>,
        config: &[u8],
        resume: Option<&[u8]>,
        state_dir: Option<PathBuf>,
        hub: Option<&Bound<'_, PyDetectorHub>>,
    ) -> PyResult<Self> {
        let hub = hub.map(|hub| hub.get().0.clone());
        let run = enter(py, || {
            CameraRun::start(CameraConfig::from_json(config)?, resume, state_dir.as_deref(), hub)
        })?;
        Ok(Self { run: Mutex::new(Some(run)) })
    }

    fn poll<'py>(&self, py: Python<'py>, max_items: usize) -> PyResult<Bound<'py, PyList>> {
        let polled = enter(py, || self.with(|run| run.poll(max_items)))?;
        let tuples = polled.iter().map(|found| tuple(py, found)).collect::<PyResult<Vec<_>>>()?;
        PyList::new(py, tuples)
    }

    fn position<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let token = enter(py, || self.with(|run| run.position()))?;
        Ok(PyBytes::new(py, &token))
    }

    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = enter(py, || self.with(|run| Ok(run.counts())))?;
        let dict = PyDict::new(py);
        for (name, n) in counts {
            dict.set_item(name, n)?;
        }
        Ok(dict)
    }

    fn ring(&self, py: Python<'_>) -> PyResult<PyPacketRing> {
        Ok(PyPacketRing { ring: enter(py, || self.with(|run| Ok(run.ring())))? })
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        // Waits for the thread, which never needs the GIL.
        enter(py, || {
            let run = self.run.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(mut run) = run {
                run.close();
            }
            Ok(())
        })
    }
}

fn tuple<'py>(py: Python<'py>, found: &Polled) -> PyResult<Bound<'py, PyTuple>> {
    match found {
        Polled::Item(Item::Tracks { first, last, batch }) => {
            ("tracks", first.0, last.0, PyBytes::new(py, batch)).into_pyobject(py)
        }
        Polled::Item(Item::Lamps { changes, settled }) => {
            let rows = changes.iter().map(|c| {
                let confidence = (f64::from(c.confidence) * 100.0).round() / 100.0;
                (&c.group, c.state.name(), c.after.0, c.since.0, confidence)
            });
            ("lamps", PyList::new(py, rows)?, settled.0).into_pyobject(py)
        }
        Polled::Item(Item::Dead(loss)) => {
            let (stage, reason) = (loss.reason.stage(), loss.reason.name());
            ("dead", stage, reason, loss.at.0, &loss.place, &loss.detail, loss.count).into_pyobject(py)
        }
        Polled::Item(Item::Gap { run, at, reason }) => ("gap", *run, at.0, *reason).into_pyobject(py),
        Polled::Item(Item::Health(health)) => {
            let verb = if health.opened { "opened" } else { "closed" };
            ("health", health.what, verb, health.at.0, &health.detail).into_pyobject(py)
        }
        Polled::Item(Item::Sight(change)) => {
            let verb = if change.opened { "opened" } else { "closed" };
            let part = |thousandths: i16| f64::from(thousandths) / 1000.0;
            let shift = change.shift.map(|(right, down)| (part(right), part(down)));
            ("sight", change.what, verb, change.since.0, change.found.0, &change.detail, shift)
                .into_pyobject(py)
        }
        Polled::Item(Item::Idle { at }) => ("idle", at.0).into_pyobject(py),
        Polled::Item(Item::End) => ("end",).into_pyobject(py),
        Polled::Note(note) => ("note", note.what, &note.detail).into_pyobject(py),
    }
}

#[pyfunction]
fn probe_live(py: Python<'_>, config: &[u8]) -> PyResult<()> {
    enter(py, || {
        let config = CameraConfig::from_json(config)?;
        let live = config.live.ok_or_else(|| Error::invalid("no live camera in this configuration"))?;
        LiveRun::probe(&live)
    })
}

#[pyfunction]
fn lamp_size_px(py: Python<'_>, head: &[u8], size: (usize, usize)) -> PyResult<f64> {
    enter(py, || ss_camera::lamp_size_px(head, size))
}

#[pyclass(name = "PacketRing", module = "smartstream._core", frozen)]
struct PyPacketRing {
    ring: Arc<Ring>,
}

#[pymethods]
impl PyPacketRing {
    fn clip<'py>(&self, py: Python<'py>, from_ns: i64, to_ns: i64) -> PyResult<Bound<'py, PyDict>> {
        let clip = enter(py, || self.ring.clip(EventTime(from_ns), EventTime(to_ns)))?;
        let dict = PyDict::new(py);
        dict.set_item("data", PyBytes::new(py, &clip.data))?;
        dict.set_item("container", clip.container)?;
        dict.set_item("codec", clip.codec)?;
        dict.set_item("first_ns", clip.first.0)?;
        dict.set_item("last_ns", clip.last.0)?;
        dict.set_item("frames", clip.frames)?;
        dict.set_item("truncated", clip.truncated)?;
        Ok(dict)
    }

    fn still<'py>(&self, py: Python<'py>, at_ns: i64) -> PyResult<Bound<'py, PyDict>> {
        let picture = enter(py, || self.ring.still(EventTime(at_ns)))?;
        let dict = PyDict::new(py);
        dict.set_item("time_ns", picture.time.0)?;
        let shape = [picture.height, picture.width, 3];
        dict.set_item("rgb", PyArray1::from_vec(py, picture.rgb).reshape(shape)?)?;
        Ok(dict)
    }
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<PyCameraRun>()?;
    m.add_class::<PyPacketRing>()?;
    m.add("LEAST_LAMP_PX", LEAST_LAMP_PX)?;
    m.add_function(wrap_pyfunction!(lamp_size_px, m)?)?;
    m.add_function(wrap_pyfunction!(probe_live, m)?)
}

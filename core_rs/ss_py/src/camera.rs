//! `CameraRun`: a camera's chain behind a queue.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};
use ss_camera::{CameraConfig, CameraRun, Item, Polled};
use ss_model::{Error, Result};

use crate::enter::enter;

#[pyclass(name = "CameraRun", module = "smartstream._core")]
struct PyCameraRun {
    run: Option<CameraRun>,
}

impl PyCameraRun {
    fn open(&mut self) -> Result<&mut CameraRun> {
        self.run.as_mut().ok_or_else(|| Error::invalid("this camera run is closed"))
    }
}

#[pymethods]
impl PyCameraRun {
    #[new]
    #[pyo3(signature = (config, resume=None, state_dir=None))]
    fn new(
        py: Python<'_>,
        config: &[u8],
        resume: Option<&[u8]>,
        state_dir: Option<PathBuf>,
    ) -> PyResult<Self> {
        let run =
            enter(py, || CameraRun::start(CameraConfig::from_json(config)?, resume, state_dir.as_deref()))?;
        Ok(Self { run: Some(run) })
    }

    fn poll<'py>(&mut self, py: Python<'py>, max_items: usize) -> PyResult<Bound<'py, PyList>> {
        let polled = enter(py, || self.open()?.poll(max_items))?;
        let tuples = polled.iter().map(|found| tuple(py, found)).collect::<PyResult<Vec<_>>>()?;
        PyList::new(py, tuples)
    }

    fn position<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let token = enter(py, || self.open()?.position())?;
        Ok(PyBytes::new(py, &token))
    }

    fn counts<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = enter(py, || Ok(self.open()?.counts()))?;
        let dict = PyDict::new(py);
        for (name, n) in counts {
            dict.set_item(name, n)?;
        }
        Ok(dict)
    }

    fn close(&mut self, py: Python<'_>) -> PyResult<()> {
        // Waits for the thread, which never needs the GIL.
        enter(py, || {
            if let Some(mut run) = self.run.take() {
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
        Polled::Item(Item::Dead(loss)) => {
            let (stage, reason) = (loss.reason.stage(), loss.reason.name());
            ("dead", stage, reason, loss.at.0, &loss.place, &loss.detail, loss.count).into_pyobject(py)
        }
        Polled::Item(Item::Gap { run, at, reason }) => ("gap", *run, at.0, *reason).into_pyobject(py),
        Polled::Item(Item::End) => ("end",).into_pyobject(py),
        Polled::Note(note) => ("note", note.what, &note.detail).into_pyobject(py),
    }
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<PyCameraRun>()
}

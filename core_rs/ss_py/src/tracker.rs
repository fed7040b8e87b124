//! `Tracker`: detections of one frame or of a whole clip to tracks.

use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyUntypedArrayMethods, ToPyArray};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use ss_model::{Detection, EventTime, Track};
use ss_vision::tracker::{Tracker, TrackerParams};

use crate::columns::{Columns, refused};
use crate::enter::enter;
use crate::error::to_py;

#[pyclass(name = "Tracks", module = "smartstream._core", frozen)]
struct PyTracks {
    #[pyo3(get)]
    track: Py<PyArray1<u32>>,
    #[pyo3(get, name = "box")]
    bbox: Py<PyArray2<f32>>,
    #[pyo3(get)]
    score: Py<PyArray1<f32>>,
    #[pyo3(get)]
    class_code: Py<PyArray1<u8>>,
    #[pyo3(get)]
    flags: Py<PyArray1<u8>>,
    #[pyo3(get)]
    detection: Py<PyArray1<u32>>,
}

#[pymethods]
impl PyTracks {
    fn __len__(&self, py: Python<'_>) -> usize {
        self.track.bind(py).len()
    }
}

impl PyTracks {
    fn new(py: Python<'_>, rows: &[Track], sources: &[u32]) -> PyResult<Self> {
        let corners: Vec<f32> =
            rows.iter().flat_map(|t| [t.bbox.x1, t.bbox.y1, t.bbox.x2, t.bbox.y2]).collect();
        let column = |of: fn(&Track) -> u8| PyArray1::from_iter(py, rows.iter().map(of)).unbind();
        Ok(Self {
            track: PyArray1::from_iter(py, rows.iter().map(|t| t.id)).unbind(),
            bbox: PyArray1::from_vec(py, corners).reshape([rows.len(), 4])?.unbind(),
            score: PyArray1::from_iter(py, rows.iter().map(|t| t.score)).unbind(),
            class_code: column(|t| t.class as u8),
            flags: column(|t| t.flags),
            detection: sources.to_pyarray(py).unbind(),
        })
    }
}

#[pyclass(name = "Tracker", module = "smartstream._core")]
struct PyTracker {
    tracker: Tracker,
    detections: Vec<Detection>,
}

#[pymethods]
impl PyTracker {
    #[new]
    #[pyo3(signature = (preset = "vehicle", **overrides))]
    fn new(py: Python<'_>, preset: &str, overrides: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let mut params = TrackerParams::preset(preset).map_err(|e| to_py(py, &e))?;
        for (name, value) in overrides.into_iter().flatten() {
            let (name, value) = (name.extract::<String>()?, value.extract::<f64>()?);
            params.set(&name, value).map_err(|e| to_py(py, &e))?;
        }
        let tracker = Tracker::new(params).map_err(|e| to_py(py, &e))?;
        Ok(Self { tracker, detections: Vec::new() })
    }

    #[pyo3(signature = (time_ns, boxes, scores, classes = None))]
    fn update(
        &mut self,
        py: Python<'_>,
        time_ns: i64,
        boxes: &Bound<'_, PyAny>,
        scores: &Bound<'_, PyAny>,
        classes: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyTracks> {
        let columns = Columns::borrow(py, boxes, scores, classes)?;
        let slices = columns.slices(py)?;
        let Self { tracker, detections } = self;
        enter(py, || {
            slices.read(detections)?;
            tracker.update(EventTime(time_ns), detections);
            Ok(())
        })?;
        PyTracks::new(py, self.tracker.rows(), self.tracker.sources())
    }

    #[pyo3(signature = (frames, boxes, scores, classes = None, *, fps = None))]
    fn track_clip<'py>(
        &mut self,
        py: Python<'py>,
        frames: &Bound<'py, PyAny>,
        boxes: &Bound<'py, PyAny>,
        scores: &Bound<'py, PyAny>,
        classes: Option<&Bound<'py, PyAny>>,
        fps: Option<f64>,
    ) -> PyResult<(Bound<'py, PyArray1<i64>>, PyTracks)> {
        let columns = Columns::borrow(py, boxes, scores, classes)?;
        let slices = columns.slices(py)?;
        let frames: PyReadonlyArray1<'py, i64> =
            frames.extract().map_err(|_| refused(py, "frames", "int64 (N,)", frames))?;
        let numbers = frames.as_slice().map_err(|_| refused(py, "frames", "int64 (N,)", frames.as_any()))?;
        let Self { tracker, detections } = self;
        let fps = fps.unwrap_or(1.0 / f64::from(tracker.params().nominal_step_s));
        let clip = enter(py, || {
            slices.read(detections)?;
            tracker.track_clip(numbers, detections, fps)
        })?;
        Ok((PyArray1::from_vec(py, clip.frame), PyTracks::new(py, &clip.rows, &clip.source)?))
    }

    #[getter]
    fn counts(&self) -> std::collections::BTreeMap<&'static str, u64> {
        let c = self.tracker.counts();
        [
            ("detections", c.detections),
            ("unusable", c.unusable),
            ("weak", c.weak),
            ("duplicates", c.duplicates),
        ]
        .into_iter()
        .collect()
    }

    fn snapshot<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.tracker.snapshot())
    }

    fn restore(&mut self, py: Python<'_>, snapshot: &[u8]) -> PyResult<()> {
        self.tracker.restore(snapshot).map_err(|e| to_py(py, &e))
    }
}

/// The tracker and its rows.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<PyTracks>()?;
    m.add_class::<PyTracker>()
}

//! `DetectorHub`: cameras ask, a detector in Python answers; and what every detector needs.

use std::time::Duration;

use numpy::{PyArray1, PyArray3, PyArrayMethods};
use pyo3::prelude::*;
use ss_camera::{Hub, Question};
use ss_model::Error;
use ss_vision::detections;

use crate::columns::Columns;
use crate::enter::enter;
use crate::error::to_py;

#[pyclass(name = "DetectorHub", module = "smartstream._core", frozen)]
pub struct PyDetectorHub(pub Hub);

#[pymethods]
impl PyDetectorHub {
    #[new]
    fn new() -> Self {
        Self(Hub::default())
    }

    fn take(&self, py: Python<'_>, full: usize, patience_s: f64) -> PyResult<Option<Vec<PyQuestion>>> {
        let patience = Duration::try_from_secs_f64(patience_s)
            .map_err(|e| to_py(py, &Error::invalid(format!("patience_s: found {patience_s}, {e}"))))?;
        let taken = enter(py, || Ok(self.0.take(full, patience)))?;
        let wrapped =
            |q: Vec<Question>| q.into_iter().map(|question| PyQuestion::new(py, question)).collect();
        taken.map(wrapped).transpose()
    }

    fn close(&self) {
        self.0.close();
    }
}

#[pyclass(name = "Question", module = "smartstream._core")]
struct PyQuestion {
    question: Option<Question>,
    #[pyo3(get)]
    picture: Py<PyArray3<u8>>,
    #[pyo3(get)]
    camera: String,
    #[pyo3(get)]
    size: (usize, usize),
    #[pyo3(get)]
    bt709: bool,
    #[pyo3(get)]
    full_range: bool,
}

impl PyQuestion {
    fn new(py: Python<'_>, mut question: Question) -> PyResult<Self> {
        // The samples move into the array; only their place is needed for the answer.
        let samples = std::mem::take(&mut question.picture.data);
        let picture = PyArray1::from_vec(py, samples).reshape(question.picture.shape)?.unbind();
        let ([_, _, width, height], space) = (question.picture.place, question.picture.space);
        Ok(Self {
            picture,
            camera: question.camera.clone(),
            size: (width, height),
            bt709: space.bt709,
            full_range: space.full_range,
            question: Some(question),
        })
    }

    fn take(&mut self, py: Python<'_>) -> PyResult<Question> {
        self.question.take().ok_or_else(|| to_py(py, &Error::invalid("this question has been answered")))
    }
}

#[pymethods]
impl PyQuestion {
    fn answer(
        &mut self,
        py: Python<'_>,
        boxes: &Bound<'_, PyAny>,
        scores: &Bound<'_, PyAny>,
        classes: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let mut found = Vec::new();
        let columns = Columns::borrow(py, boxes, scores, Some(classes))?;
        columns.slices(py)?.read(&mut found).map_err(|e| to_py(py, &e))?;
        self.take(py)?.answer(found);
        Ok(())
    }

    fn refuse(&mut self, py: Python<'_>, why: String) -> PyResult<()> {
        self.take(py)?.refuse(Error::internal(why));
        Ok(())
    }
}

#[pyfunction]
#[pyo3(signature = (boxes, scores, classes, *, limit, most))]
fn suppress<'py>(
    py: Python<'py>,
    boxes: &Bound<'py, PyAny>,
    scores: &Bound<'py, PyAny>,
    classes: &Bound<'py, PyAny>,
    limit: f32,
    most: usize,
) -> PyResult<Bound<'py, PyArray1<u32>>> {
    let columns = Columns::borrow(py, boxes, scores, Some(classes))?;
    let slices = columns.slices(py)?;
    let kept = enter(py, || {
        let boxes = slices.boxes();
        Ok(detections::suppress(&boxes, slices.scores, slices.classes.unwrap_or(&[]), limit, most))
    })?;
    Ok(PyArray1::from_vec(py, kept))
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<PyDetectorHub>()?;
    m.add_class::<PyQuestion>()?;
    m.add_function(wrap_pyfunction!(suppress, m)?)
}

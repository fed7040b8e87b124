//! `probe`, `still` and `scan`: a look at a video file.

use std::path::PathBuf;

use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::enter::enter;

#[pyfunction]
fn probe(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyDict>> {
    let found = enter(py, || ss_ingest::probe(&path))?;
    let dict = PyDict::new(py);
    dict.set_item("container", found.container)?;
    dict.set_item("codec", found.codec)?;
    dict.set_item("pixel_format", found.pixel_format)?;
    dict.set_item("width", found.width)?;
    dict.set_item("height", found.height)?;
    dict.set_item("fps", found.fps)?;
    dict.set_item("duration_s", found.duration_s)?;
    dict.set_item("frames", found.frames)?;
    Ok(dict)
}

#[pyfunction]
#[pyo3(signature = (path, at_s=0.0))]
fn still(py: Python<'_>, path: PathBuf, at_s: f64) -> PyResult<Bound<'_, PyArray2<u8>>> {
    let still = enter(py, || ss_ingest::still(&path, at_s))?;
    PyArray1::from_vec(py, still.luma).reshape([still.height, still.width])
}

#[pyfunction]
fn scan(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyDict>> {
    let found = enter(py, || ss_ingest::scan(&path))?;
    let dict = PyDict::new(py);
    dict.set_item("frames_seen", found.frames)?;
    dict.set_item("frames_doubtful", found.doubtful)?;
    dict.set_item("gaps", found.gaps)?;
    for (reason, n) in found.lost {
        dict.set_item(format!("lost_{reason}"), n)?;
    }
    Ok(dict)
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(probe, m)?)?;
    m.add_function(wrap_pyfunction!(still, m)?)?;
    m.add_function(wrap_pyfunction!(scan, m)?)
}

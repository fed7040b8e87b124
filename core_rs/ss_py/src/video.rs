//! `probe`, `still` and `scan`: a look at a video file; `encode_jpeg`: a picture for people.

use std::path::PathBuf;

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use ss_model::Error;

use crate::enter::enter;
use crate::error::to_py;

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
    dict.set_item("fps_assumed", found.fps_assumed)?;
    dict.set_item("duration_s", found.duration_s)?;
    dict.set_item("frames", found.frames)?;
    Ok(dict)
}

#[pyfunction]
fn use_nvdec(py: Python<'_>) -> PyResult<()> {
    enter(py, ss_ingest::use_nvdec)
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

#[pyfunction]
#[pyo3(signature = (rgb, quality=92))]
fn encode_jpeg<'py>(
    py: Python<'py>,
    rgb: PyReadonlyArrayDyn<'py, u8>,
    quality: u8,
) -> PyResult<Bound<'py, PyBytes>> {
    let &[height, width, colours] = rgb.shape() else { return Err(wrong_picture(py, &[])) };
    let sides = (u16::try_from(width), u16::try_from(height));
    let (Ok(width @ 1..), Ok(height @ 1..)) = sides else { return Err(wrong_picture(py, rgb.shape())) };
    if colours != 3 {
        return Err(wrong_picture(py, rgb.shape()));
    }
    let pixels: Vec<u8> = rgb.as_array().iter().copied().collect();
    let jpeg = enter(py, || {
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, quality.clamp(1, 100));
        // Colour of thin lamps and plates counts more here than bytes.
        encoder.set_sampling_factor(SamplingFactor::F_1_1);
        encoder
            .encode(&pixels, width, height, ColorType::Rgb)
            .map_err(|e| Error::internal(format!("picture cannot be encoded: {e}")))?;
        Ok(jpeg)
    })?;
    Ok(PyBytes::new(py, &jpeg))
}

fn wrong_picture(py: Python<'_>, shape: &[usize]) -> PyErr {
    let what = format!("picture of shape {shape:?}: expected (height, width, 3), sides of 1 to 65535");
    to_py(py, &Error::invalid(what))
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(probe, m)?)?;
    m.add_function(wrap_pyfunction!(use_nvdec, m)?)?;
    m.add_function(wrap_pyfunction!(still, m)?)?;
    m.add_function(wrap_pyfunction!(scan, m)?)?;
    m.add_function(wrap_pyfunction!(encode_jpeg, m)?)
}

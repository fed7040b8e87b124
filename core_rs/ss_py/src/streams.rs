//! Inner loops of the event-time operators.

use numpy::{PyArray1, PyReadonlyArray1, PyReadwriteArray1, ToPyArray};
use pyo3::prelude::*;
use ss_streams::Known;

use crate::enter::enter;

type Column<'py, T> = Bound<'py, PyArray1<T>>;

#[pyfunction]
#[allow(clippy::too_many_arguments)] // columns, and Python's own handle
fn asof<'py>(
    py: Python<'py>,
    left_time: PyReadonlyArray1<'_, i64>,
    left_key: PyReadonlyArray1<'_, u32>,
    right_time: PyReadonlyArray1<'_, i64>,
    right_key: PyReadonlyArray1<'_, u32>,
    right_value: PyReadonlyArray1<'_, i64>,
    mut known_time: PyReadwriteArray1<'_, i64>,
    mut known_value: PyReadwriteArray1<'_, i64>,
) -> PyResult<(Column<'py, i64>, Column<'py, i64>)> {
    let left = (left_time.as_slice()?, left_key.as_slice()?);
    let right = (right_time.as_slice()?, right_key.as_slice()?, right_value.as_slice()?);
    let known = Known { time: known_time.as_slice_mut()?, value: known_value.as_slice_mut()? };
    let (value, time) = enter(py, || ss_streams::asof(left, right, known))?;
    Ok((PyArray1::from_vec(py, value), PyArray1::from_vec(py, time)))
}

type PaneColumns<'py> = (
    Column<'py, i64>,
    Column<'py, u32>,
    Column<'py, i64>,
    Column<'py, i64>,
    Column<'py, i64>,
    Column<'py, i64>,
);

#[pyfunction]
fn panes<'py>(
    py: Python<'py>,
    time: PyReadonlyArray1<'_, i64>,
    key: PyReadonlyArray1<'_, u32>,
    value: PyReadonlyArray1<'_, i64>,
    width: i64,
    keys: u32,
) -> PyResult<PaneColumns<'py>> {
    let (time, key, value) = (time.as_slice()?, key.as_slice()?, value.as_slice()?);
    let found = enter(py, || ss_streams::panes(time, key, value, width, keys))?;
    Ok((
        found.pane.to_pyarray(py),
        found.key.to_pyarray(py),
        found.count.to_pyarray(py),
        found.sum.to_pyarray(py),
        found.min.to_pyarray(py),
        found.max.to_pyarray(py),
    ))
}

/// Add the functions to the module.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(asof, m)?)?;
    m.add_function(wrap_pyfunction!(panes, m)?)
}

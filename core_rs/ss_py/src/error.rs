//! `ErrorKind` to exception: one table.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use ss_model::{Error, ErrorKind};

static ERRORS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// The exception of `error`, an instance of a class in `smartstream.errors`.
pub fn to_py(py: Python<'_>, error: &Error) -> PyErr {
    let class = ERRORS
        .get_or_try_init(py, || py.import("smartstream.errors").map(Bound::unbind))
        .and_then(|m| m.bind(py).getattr(format!("{}Error", error.kind.name())));
    match class.and_then(|c| c.call1((error.message.as_str(),))) {
        Ok(exception) => PyErr::from_value(exception),
        Err(failed) => failed,
    }
}

/// Names of every kind, for the test that none is unmapped.
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("ERROR_KINDS", ErrorKind::ALL.map(ErrorKind::name).to_vec())
}

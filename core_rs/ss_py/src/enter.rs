//! The door: every heavy call passes through it.

use pyo3::prelude::*;
use ss_model::Result;

use crate::error::to_py;

/// Run `work` without the GIL and map its failure.
///
/// Plain Rust values go in and come out; no caller chooses whether the GIL is
/// released.
pub fn enter<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    py.detach(work).map_err(|e| to_py(py, &e))
}

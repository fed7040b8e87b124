//! The only crate that knows Python: thin wrappers, one file per stage.

// PyO3 takes arguments by value and the macros need wrapped Results.
#![allow(clippy::needless_pass_by_value, clippy::unnecessary_wraps)]

use pyo3::prelude::*;

mod camera;
mod columns;
mod detector;
mod enter;
mod error;
mod rules;
mod streams;
mod tracker;
mod video;

/// The native module `smartstream._core`; `_core.pyi` documents it.
#[pymodule]
fn _core(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("__version__", env!("CARGO_PKG_VERSION"))?;
    error::register(m)?;
    video::register(m)?;
    detector::register(m)?;
    camera::register(m)?;
    tracker::register(m)?;
    rules::register(m)?;
    streams::register(m)?;
    Ok(())
}

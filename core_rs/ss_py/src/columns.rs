//! Detections that come from Python in columns.

use numpy::{PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use ss_model::{BoxF, Detection, Error, Result, VehicleClass};

use crate::error::to_py;

/// Borrowed arrays; they outlive the slices that go through `enter`.
pub struct Columns<'py> {
    boxes: PyReadonlyArray2<'py, f32>,
    scores: PyReadonlyArray1<'py, f32>,
    classes: Option<PyReadonlyArray1<'py, u8>>,
}

impl<'py> Columns<'py> {
    pub fn borrow(
        py: Python<'py>,
        boxes: &Bound<'py, PyAny>,
        scores: &Bound<'py, PyAny>,
        classes: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Self> {
        Ok(Self {
            boxes: boxes.extract().map_err(|_| refused(py, "boxes", BOXES, boxes))?,
            scores: scores.extract().map_err(|_| refused(py, "scores", SCORES, scores))?,
            classes: classes
                .map(|c| c.extract().map_err(|_| refused(py, "classes", CLASSES, c)))
                .transpose()?,
        })
    }

    pub fn slices(&self, py: Python<'py>) -> PyResult<Slices<'_>> {
        let boxes = self.boxes.as_slice().map_err(|_| refused(py, "boxes", BOXES, self.boxes.as_any()))?;
        let scores =
            self.scores.as_slice().map_err(|_| refused(py, "scores", SCORES, self.scores.as_any()))?;
        let classes = match &self.classes {
            Some(c) => Some(c.as_slice().map_err(|_| refused(py, "classes", CLASSES, c.as_any()))?),
            None => None,
        };
        let rows = self.boxes.shape()[0];
        // `as_slice` is content with Fortran order, too.
        if self.boxes.shape()[1] != 4 || !self.boxes.is_c_contiguous() {
            return Err(refused(py, "boxes", BOXES, self.boxes.as_any()));
        }
        if scores.len() != rows || classes.is_some_and(|c| c.len() != rows) {
            let found =
                format!("{rows} boxes, {} scores, {:?} classes", scores.len(), classes.map(<[u8]>::len));
            return Err(to_py(
                py,
                &Error::invalid(format!("detections: found {found}, expected one of each")),
            ));
        }
        Ok(Slices { boxes, scores, classes })
    }
}

const BOXES: &str = "C-contiguous float32 (N, 4)";
const SCORES: &str = "contiguous float32 (N,)";
const CLASSES: &str = "contiguous uint8 (N,)";

pub struct Slices<'a> {
    boxes: &'a [f32],
    pub scores: &'a [f32],
    pub classes: Option<&'a [u8]>,
}

impl Slices<'_> {
    pub fn boxes(&self) -> Vec<BoxF> {
        self.boxes.chunks_exact(4).map(|b| BoxF { x1: b[0], y1: b[1], x2: b[2], y2: b[3] }).collect()
    }

    pub fn read(&self, out: &mut Vec<Detection>) -> Result<()> {
        out.clear();
        out.reserve(self.scores.len());
        for (i, (b, &score)) in self.boxes.chunks_exact(4).zip(self.scores).enumerate() {
            let class = match self.classes {
                None => VehicleClass::Unknown,
                Some(codes) => VehicleClass::from_code(codes[i]).ok_or_else(|| {
                    let last = VehicleClass::ALL.len() - 1;
                    Error::invalid(format!("classes: row {i}: found code {}, expected 0 to {last}", codes[i]))
                })?,
            };
            let bbox = BoxF { x1: b[0], y1: b[1], x2: b[2], y2: b[3] };
            out.push(Detection { bbox, score, class, flags: 0 });
        }
        Ok(())
    }
}

/// What was found instead of the array expected.
pub fn refused(py: Python<'_>, name: &str, expected: &str, found: &Bound<'_, PyAny>) -> PyErr {
    let text = |attribute: &str| found.getattr(attribute).map(|v| v.to_string()).ok();
    let what = match (text("dtype"), text("shape")) {
        (Some(dtype), Some(shape)) => {
            let contiguous =
                found.getattr("flags").and_then(|f| f.get_item("C_CONTIGUOUS")?.is_truthy()).unwrap_or(false);
            format!("{}{dtype} {shape}", if contiguous { "" } else { "non-contiguous " })
        }
        _ => found.get_type().to_string(),
    };
    to_py(py, &Error::invalid(format!("{name}: found {what}, expected {expected}")))
}

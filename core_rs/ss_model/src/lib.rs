//! Values that every stage knows. No I/O, no threads, no Python.

mod class;
mod error;
mod frame;
mod geom;
mod reduce;
mod signal;
mod time;
mod track;

pub use class::VehicleClass;
pub use error::{Error, ErrorKind, Result};
pub use frame::{BoxF, Chroma, ColourMatrix, ColourSpace, Detection, LumaFrame, Reduced};
pub use geom::{Homography, Point, Polygon, Segment};
pub use reduce::Reducer;
pub use signal::SignalState;
pub use time::{ClockQuality, ClockReading, EventTime};
pub use track::{Track, TrackBatch};

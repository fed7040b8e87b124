//! Values that every stage knows. No I/O, no threads, no Python.

pub mod class;
pub mod error;
pub mod frame;
pub mod geom;
pub mod signal;
pub mod time;
pub mod track;

pub use class::VehicleClass;
pub use error::{Error, ErrorKind, Result};
pub use frame::{BoxF, Chroma, ColourMatrix, ColourSpace, Detection, LumaFrame};
pub use geom::{Homography, Point, Polygon, Segment};
pub use signal::SignalState;
pub use time::{ClockQuality, ClockReading, EventTime};
pub use track::{Track, TrackBatch};

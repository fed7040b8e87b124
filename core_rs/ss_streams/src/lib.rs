//! Inner loops of the event-time operators: columns in, columns out. Watermarks, lateness and state live in
//! `smartstream.streams`; a row here is a time, a small key and a whole number.

mod asof;
mod panes;

pub use asof::{Known, asof};
pub use panes::{Panes, panes};

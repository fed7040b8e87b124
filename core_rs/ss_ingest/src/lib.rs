//! Ingest: compressed video in, luma planes with event time out.

"""Detectors that live in Python; the default chain lives in Rust (``ss_camera``)."""

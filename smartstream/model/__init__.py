"""Frozen values that every stage knows; twins of the Rust crate ``ss_model``."""

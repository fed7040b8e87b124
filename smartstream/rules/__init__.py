"""Rules: a site compiled for the Rust engine, and its verdicts put into words."""

//! Rules: tracks and signal states to crossings and verdicts.

"""Dataflows: wiring only, no logic. Ships in the wheel."""

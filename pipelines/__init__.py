"""Dataflows: whatever joins stages. Ships in the wheel."""

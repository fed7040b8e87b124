"""Joins of different streams into incidents: each opens on the sides it needs, slower sides bring updates."""

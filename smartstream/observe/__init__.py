"""Logs and metrics: what happened, counted and said in one place."""

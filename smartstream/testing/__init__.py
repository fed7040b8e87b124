"""Builders and runners for tests; public, so that users can test their own sites."""

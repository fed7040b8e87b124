"""smartstream: the stream engine of a city's Intelligent Operations Centre."""

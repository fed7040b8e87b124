"""smartstream: the stream engine of a city's Intelligent Operations Centre."""

from smartstream._core import __version__

__all__ = ["__version__"]

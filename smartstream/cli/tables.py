"""Tables for people on standard output."""

from __future__ import annotations

import sys
from typing import Final

from rich.console import Console
from rich.table import Table

_IN_A_FILE: Final = 200
"""Columns where no terminal says how many there are: a file, a pipe."""


def console() -> Console:
    """Standard output, as wide as the terminal."""
    return Console(width=None if sys.stdout.isatty() else _IN_A_FILE)


def print_table(table: Table) -> None:
    """Print all of it: what does not fit in a cell goes on in its next line, for a fine cut off is a wrong one."""
    for column in table.columns:
        column.overflow = "fold"
    console().print(table)

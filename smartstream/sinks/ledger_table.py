"""The ledger for people: tables on standard error."""

from __future__ import annotations

import sys

import msgspec
from rich.console import Console
from rich.table import Table

from smartstream.observe.status import CLEAR, is_drawn_on
from smartstream.sinks.ledger import Ledger


def print_ledger(ledger: Ledger, console: Console | None = None) -> None:
    """Print the tables that have a row."""
    out = console or Console(stderr=True, width=None if sys.stderr.isatty() else 120)
    if console is None and is_drawn_on(sys.stderr):
        out.file.write(CLEAR)
    for table in (_rules(ledger), _crossings(ledger), _dead_letters(ledger), _sides(ledger)):
        if table.row_count:
            out.print(table)
    for kind, why in sorted(ledger.not_armed.items()):
        out.print(f"{kind} is not armed: {why}")
    if not ledger.complete:
        out.print("Stopped before the end of the sources.")


def _table(title: str, text: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left", header_style="")
    for name in text:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def _rules(ledger: Ledger) -> Table:
    names = ("candidates", "suspected", "undecided", "suppressed", "estimated", "retracted")
    table = _table("Rules", ("rule",), names)
    for kind, count in sorted(ledger.rules.items()):
        numbers = msgspec.structs.asdict(count)
        table.add_row(kind, *(str(numbers[name]) for name in names))
    return table


def _crossings(ledger: Ledger) -> Table:
    table = _table("Crossings", ("line", "class"), ("forward", "backward"))
    for line, classes in sorted(ledger.crossings.items()):
        for class_, directions in sorted(classes.items()):
            table.add_row(line, class_, *(str(directions.get(d, 0)) for d in ("forward", "backward")))
    return table


def _dead_letters(ledger: Ledger) -> Table:
    table = _table("Dead letters", ("stage", "reason"), ("lines",))
    for stage, reasons in sorted(ledger.dead_letters.items()):
        for reason, count in sorted(reasons.items()):
            table.add_row(stage, reason, str(count))
    return table


def _sides(ledger: Ledger) -> Table:
    table = _table("Sources", ("source", "what"), ("count",))
    for side, counts in sorted(ledger.sides.items()):
        for what, count in sorted(counts.items()):
            table.add_row(side, what, str(count))
    return table

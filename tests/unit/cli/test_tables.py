"""Tables lose nothing, however narrow the place."""

import io

import pytest
from click.testing import CliRunner
from rich.console import Console
from rich.table import Table

from smartstream.cli import tables
from smartstream.cli.law import law
from smartstream.rules.law import load_law


def test_a_pipe_gets_every_fine_in_one_piece() -> None:
    printed = CliRunner().invoke(law, ["show"]).stdout
    fines = {f"{c.fine[0]:g}–{c.fine[1]:g}" for act in load_law().packs[-1].acts.values() for c in act.clauses}
    assert {fine for fine in fines if fine not in printed} == set()


def test_a_narrow_terminal_gets_every_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = io.StringIO()
    monkeypatch.setattr(tables, "console", lambda: Console(width=20, file=printed))
    table = Table("act", "million VND")
    table.add_row("CROSSWALK_STOP", "0.15–0.25")
    tables.print_table(table)
    cells = [line.split("│")[1:3] for line in printed.getvalue().splitlines() if line.startswith("│")]
    assert ["".join(cell.strip() for cell in column) for column in zip(*cells, strict=True)] == [
        "CROSSWALK_STOP",
        "0.15–0.25",
    ]

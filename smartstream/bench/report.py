"""What every benchmark writes: a table for people, JSON for machines, where and how it was made."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from smartstream._core import __version__


def json_option(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """``--json``: where benchmark ``name`` leaves its result."""
    path = Path(f"bench-{name}.json")
    return click.option(
        "--json",
        "output",
        type=click.Path(path_type=Path),
        default=path,
        show_default=True,
        help="The result, with machine, commit and command.",
    )


def origin() -> dict[str, Any]:
    """Machine, commit and command of this run: without them a number means nothing."""
    return {
        "machine": {"cpu": _cpu(), "cores": os.cpu_count(), "system": platform.platform(), "load": os.getloadavg()[0]},
        "python": platform.python_version(),
        "smartstream": __version__,
        "commit": _commit(),
        "command": shlex.join(["smartstream", *sys.argv[1:]]),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _commit() -> str | None:
    """The checkout's commit, marked where files differ from it; None outside of one."""
    here = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=here,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return found.stdout.strip() if found.returncode == 0 else None


def gate(name: str, value: float, bound: float) -> dict[str, Any]:
    """A goal: ``value`` should reach ``bound``."""
    return {"name": name, "value": round(value, 3), "bound": bound, "held": value >= bound}


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns as wide as their widest cell; the first to the left, the others to the right."""
    cells = [list(map(str, header)), *([str(c) for c in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        first = row[0].ljust(widths[0])
        click.echo("  ".join([first, *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]))


def print_gates(gates: Iterable[Mapping[str, Any]]) -> None:
    """One line per goal, held or missed."""
    for g in gates:
        click.echo(f"{'held  ' if g['held'] else 'MISSED'}  {g['name']}: {g['value']:g} (goal {g['bound']:g})")


def write_json(path: Path, name: str, body: Mapping[str, Any]) -> None:
    """Write the result of benchmark ``name`` with its origin."""
    text = json.dumps({"benchmark": name, **origin(), **body}, indent=2, ensure_ascii=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
    click.echo(f"written: {path}", err=True)

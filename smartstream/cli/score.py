"""``smartstream score``: precision and recall of event files against truth files."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table

from smartstream.cli.tables import console, print_table
from smartstream.options import FloatRange
from smartstream.score import Score, score_files
from smartstream.score_joins import JoinScore, is_city, join_table, score_cities


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="TRUTH EVENTS [TRUTH EVENTS …]", type=Path)
@click.option(
    "--tolerance",
    default=2.0,
    show_default=True,
    type=FloatRange(min=0),
    help="Seconds a verdict may lie beside the truth.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def score(files: tuple[Path, ...], tolerance: float, as_json: bool) -> None:  # noqa: FBT001 (click)
    """Precision, recall and F1 per rule, and crossings per line, of EVENTS against TRUTH.

    Several pairs are scored each for itself and pooled. Events are matched one to one per kind, nearest
    first; undecided and suppressed ones are shown but never count as found. Of cities: precision and recall per join.
    """
    if len(files) % 2:
        raise click.UsageError("give pairs: TRUTH EVENTS [TRUTH EVENTS …]")
    pairs = list(zip(files[::2], files[1::2], strict=True))
    cities = [is_city(truth) for truth, _ in pairs]
    if any(cities):
        if not all(cities):
            raise click.UsageError("cities and junction scenes are scored apart")
        _print_joins(score_cities(pairs), as_json=as_json)
        return
    result = score_files(pairs, tolerance_s=tolerance)
    for path, n in result.unusable.items():
        click.echo(f"{path}: {n} lines are not usable events", err=True)
    if as_json:
        click.echo(json.dumps(result.as_json()))
    else:
        print_score(result, console())


def _print_joins(sums: dict[str, JoinScore], *, as_json: bool) -> None:
    rows = join_table(sums)
    if as_json:
        click.echo(json.dumps({"joins": rows}))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(rows[0]):
        table.add_column(name, justify="left" if i < 2 else "right")
    for row in rows:
        table.add_row(*(_fraction(v) if v is None or isinstance(v, float) else str(v) for v in row.values()))
    print_table(table)


def print_score(result: Score, console: Console) -> None:
    """The table that people read."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=True)
    all_ = result.total
    columns = (
        ("rule", "all"),
        ("truth", str(all_.truth)),
        ("found", str(all_.tp)),
        ("false", str(all_.fp)),
        ("missed", str(all_.fn)),
        ("undecided", ""),
        ("suppressed", ""),
        ("precision", _fraction(all_.precision)),
        ("recall", _fraction(all_.recall)),
        ("F1", _fraction(result.f1)),
        ("error s", ""),
    )
    for name, footer in columns:
        table.add_column(name, footer=footer, justify="left" if name == "rule" else "right", overflow="fold")
    for kind, r in sorted(result.rules.items()):
        f1 = 2 * r.tp / (2 * r.tp + r.fp + r.fn) if r.tp + r.fp + r.fn else None
        sums = (r.truth, r.tp, r.fp, r.fn, r.undecided, r.suppressed)
        ratios = (r.precision, r.recall, f1, r.median_error_s)
        table.add_row(kind, *map(str, sums), *map(_fraction, ratios))
    console.print(table)
    for line, c in sorted(result.crossings.items()):
        console.print(
            f"crossings of {line}: truth {c.truth}, found {c.found}, matched {c.matched}, "
            f"missed {c.truth - c.matched}, false {c.found - c.matched}",
            highlight=False,
        )


def _fraction(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"

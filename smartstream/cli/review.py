"""``smartstream review``: suspected cases before a named officer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE
from rich.table import Column, Table

from smartstream.cli.decisions import Decider, Outlet, deciding, now_ns, publishing, signer_of, signing
from smartstream.cli.tables import print_table
from smartstream.errors import DataLossError
from smartstream.evidence import cases, decisions
from smartstream.evidence.redact import export as export_case

_folder = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
_looking = [
    click.option("--officer", required=True, help="Who looks; stands in the access log."),
    click.option("--purpose", default="review", show_default=True, help="What for."),
]


@click.group()
def review() -> None:
    """Look at suspected cases of an evidence store, confirm or reject them.

    Every look and every decision stands in a log of the store that can only grow.
    """


@review.command("list")
@_folder
@click.option("--state", type=click.Choice(["suspected", "confirmed", "rejected", "retracted"]), help="Only these.")
def list_cases(folder: Path, state: str | None) -> None:
    """Every case with its state, oldest first.

    Packages that do not read are named below, with exit code 1.
    """
    whole = [Column(name, no_wrap=True) for name in ("case", "state", "time")]
    table = Table(*whole, "kind", "camera", "class", "complete", box=SIMPLE)
    every, wrong = cases.cases(folder)
    for one in every:
        if state in (None, one.state):
            m = one.manifest
            row = (m["evidence_id"][:12], one.state, m["violation"]["time"], m["kind"], m["camera"], m["class"])
            table.add_row(*row, f"{m['completeness']:.0%}")
    print_table(table)
    if wrong:
        raise DataLossError("\n".join(wrong))


@review.command()
@_folder
@click.argument("case")
@_looking[0]
@_looking[1]
@signing
def show(folder: Path, case: str, officer: str, purpose: str, key_file: Path | None) -> None:
    """What the engine saw, and where its pictures are.

    The look is logged first.
    """
    one = cases.case(folder, case)
    decisions.look(folder, one, signer_of(folder, key_file), officer=officer, purpose=purpose, at_ns=now_ns())
    m = one.manifest
    rows: dict[str, Any] = {
        "case": f"{m['evidence_id']} ({one.state}{f': {one.why}' if one.why else ''})",
        "act": f"{m['kind']} by {m['class']}, {m['track']}",
        "place": f"{m['junction']['name']}, camera {m['camera']}, lane {m['lane']}",
        "time": f"{m['clocks']['act']}, proof {' … '.join(m['clocks']['proof'])}",
        "signal": m["signal"]["shown"],
        "clauses": ", ".join(f"{c['clause']} [{c['mark']}]" for c in m["clauses"]) or "none",
        "facts": m["explanation"]["facts"],
        "missing": m["missing"] or "nothing",
        "untouched": cases.touched(folder, one) or "yes",
    }
    for still in m["stills"]:
        rows[f"still {still['role']}"] = f"{still['time']}  {one.folder / (still.get('overlay') or still['file'])}"
    if m["clip"]:
        rows["clip"] = one.folder / m["clip"]["file"]
    for name, value in rows.items():
        click.echo(f"{name:<13} {value}")  # no table: a path that is cut or folded opens nothing


@review.command()
@_folder
@click.argument("case")
@deciding
def confirm(folder: Path, case: str, by: Decider) -> None:
    """A violation took place: a person says so."""
    _decide(folder, case, "confirmed", by)


@review.command()
@_folder
@click.argument("case")
@deciding
def reject(folder: Path, case: str, by: Decider) -> None:
    """No violation took place."""
    _decide(folder, case, "rejected", by)


@review.command()
@_folder
@publishing
def publish(folder: Path, events_file: str | None, site_file: Path | None) -> None:
    """Publish every decision of the log again.

    For a broker that could not be reached: it drops what it has.
    """
    outlet = Outlet(events_file, site_file)
    events, gone = decisions.decided(folder)
    outlet.emit(events)
    left_out = f", {gone} left out: retention has deleted their cases" if gone else ""
    click.echo(f"{len(events)} decisions{left_out}", err=True)


@review.command()
@_folder
@click.argument("case")
@click.argument("out", type=click.Path(path_type=Path))
@_looking[0]
@_looking[1]
@signing
def export(folder: Path, case: str, out: Path, officer: str, purpose: str, key_file: Path | None) -> None:
    """Stills and clip that show nobody but the accused.

    Everything but the accused vehicle is blurred. The export is logged first.
    """
    one = cases.case(folder, case)
    signer = signer_of(folder, key_file)
    cases.require_untouched(folder, one, "exported")
    decisions.look(folder, one, signer, officer=officer, purpose=f"export: {purpose}", at_ns=now_ns())
    for path in export_case(one, out):
        click.echo(path)


def _decide(folder: Path, case: str, decision: decisions.Decision, by: Decider) -> None:
    outlet, one = Outlet(by.events_file, by.site_file), cases.case(folder, case)
    signer = signer_of(folder, by.key_file)
    event = decisions.decide(folder, one, decision, signer, officer=by.officer, reason=by.reason, at_ns=now_ns())
    outlet.emit([event])
    click.echo(f"{one.manifest['evidence_id']}: {decision}", err=True)

"""``smartstream law``: the clauses in force, what an amendment changes, stored verdicts under another date."""

from __future__ import annotations

import sys
from datetime import date
from typing import IO, Any

import click
import msgspec
from rich.table import Table

from smartstream.cli.tables import print_table
from smartstream.errors import UNREADABLE, InvalidInputError
from smartstream.rules.law import Act, LawPack, differences, load_law


class _Day(click.ParamType[date]):
    name = "YYYY-MM-DD"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """A calendar day."""
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"expected a day like 2026-08-15, found {value!r}", param, ctx)


@click.group()
def law() -> None:
    """Law packs: candidate clauses by date."""


@law.command()
@click.option("--date", "day", type=_Day(), help="Day to look at.  [default: the newest pack's first day]")
@click.option("--json", "as_json", is_flag=True, help="The whole pack as JSON.")
def show(day: date | None, as_json: bool) -> None:  # noqa: FBT001
    """Acts and their candidate clauses on a day."""
    pack = load_law().packs[-1] if day is None else _pack(day)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(pack), indent=2).decode())
        return
    table = Table(
        "act",
        "rule kinds",
        "column",
        "clause",
        "million VND",
        "points",
        "mark",
        "when",
        title=f"{pack.id}: {pack.title}",
    )
    for act in pack.acts.values():
        for i, clause in enumerate(act.clauses):
            head = (act.code, ", ".join(act.kinds)) if i == 0 else ("", "")
            fine, points = f"{clause.fine[0]:g}–{clause.fine[1]:g}", f"−{clause.points}" if clause.points else ""
            table.add_row(*head, clause.column, clause.clause, fine, points, clause.mark, clause.when or clause.over)
    print_table(table)


@law.command()
@click.argument("before", type=_Day())
@click.argument("after", type=_Day())
def diff(before: date, after: date) -> None:
    """Acts that differ between two days; exit 0 either way."""
    changed = differences(_pack(before), _pack(after))
    for code, old, new in changed:
        click.echo(code)
        for sign, act in (("-", old), ("+", new)):
            for line in _lines(act):
                click.echo(f"  {sign} {line}")
    click.echo(f"{len(changed)} acts differ")


@law.command()
@click.argument("events", type=click.File("rb"))
@click.option("--as-of", "day", type=_Day(), required=True, help="Judge every stored verdict by the law of this day.")
def reassess(events: IO[bytes], day: date) -> None:
    """Re-judge the verdicts of an event file under another date.

    One JSON line for each verdict that changes; what was retracted holds under no law. Lines that are no events are
    named and left out; exit code 2 then.
    """
    pack, bad = _pack(day), 0
    judged: dict[str, dict[str, Any] | None] = {}  # lines stand in any order, so a retraction may come first
    retracted: set[str] = set()
    for number, line in enumerate(events, 1):
        try:
            event = msgspec.json.decode(line)
            _, _, class_, kind, verb, _ = str(event["type"]).split(".")
            data: dict[str, Any] = event["data"]
            id_, before = str(event["id"]), [_said(clause) for clause in data.get("clauses", [])]
            retracted.update([data["retracts"]] if verb == "retracted" else ())
        except (*UNREADABLE, KeyError, ValueError, TypeError, AttributeError) as e:
            click.echo(f"{events.name}, line {number}: expected an event, found: {e}", err=True)
            bad += 1
            continue
        if class_ != "violation" or verb not in ("suspected", "undecided", "suppressed"):
            continue
        over = data.get("over_kmh")
        clauses = pack.candidates(
            kind, str(data.get("class")), over_kmh=over if isinstance(over, int | float) else None
        )
        found = {"id": id_, "kind": kind, "before": data.get("clauses", []), "as_of": clauses}
        judged[id_] = None if [_said(c) for c in clauses] == before else found
    standing = [found for id_, found in judged.items() if id_ not in retracted]
    changed = [found for found in standing if found is not None]
    sys.stdout.buffer.write(b"".join(msgspec.json.encode(found) + b"\n" for found in changed))
    sys.stdout.buffer.flush()
    click.echo(f"{len(changed)} of {len(standing)} verdicts change under {pack.id} ({pack.in_force})", err=True)
    if bad:
        raise InvalidInputError(f"{events.name}: {bad} lines are no events; the others were judged")


def _said(clause: dict[str, Any]) -> dict[str, Any]:
    """What a clause says, whichever pack says it."""
    return {k: v for k, v in clause.items() if k != "pack"}


def _pack(day: date) -> LawPack:
    pack = load_law().on(day)
    if pack is None:
        first = load_law().packs[0].in_force
        raise InvalidInputError(f"no law pack covers {day}: the first one begins on {first}")
    return pack


def _lines(act: Act | None) -> list[str]:
    if act is None:
        return ["(no such act)"]
    clauses = [f"{c.column} {c.clause} {c.fine[0]:g}–{c.fine[1]:g} −{c.points} [{c.mark}]" for c in act.clauses]
    return [act.text, *([act.note] if act.note else []), *clauses]

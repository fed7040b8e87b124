"""``smartstream recall``: every case that rests on something found faulty, taken back."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from smartstream.cli.decisions import Decider, Outlet, deciding, now_ns, signer_of
from smartstream.errors import DataLossError, InvalidInputError
from smartstream.evidence import cases, decisions
from smartstream.model.event import CloudEvent
from smartstream.model.time import MAX_NS
from smartstream.options import Instant


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--model", metavar="X", help="Made with this model: the beginning of its hash, or the detector's name.")
@click.option("--config", metavar="H", help="Made under this site file: the beginning of its hash.")
@click.option("--calibration", metavar="C", help="Made with this calibration: the beginning of its hash.")
@click.option(
    "--from", "from_ns", type=Instant(), help="Acts that ended at this instant or later (RFC 3339 or epoch seconds)."
)
@click.option("--to", "to_ns", type=Instant(), help="Acts that began at this instant or before.")
@click.option("--dry-run", is_flag=True, help="Only say which.")
@deciding
def recall(
    folder: Path,
    model: str | None,
    config: str | None,
    calibration: str | None,
    from_ns: int | None,
    to_ns: int | None,
    dry_run: bool,  # noqa: FBT001
    by: Decider,
) -> None:
    """Retract cases of an evidence store by what they rest on, whatever was decided about them.

    Each becomes a `violation.<kind>.retracted` event; called again it retracts nothing twice. Packages that do not
    read are named, with exit code 1: nobody knows what they rest on.
    """
    if not (model or config or calibration) and from_ns is None and to_ns is None:
        raise InvalidInputError("recall: expected at least one of --model, --config, --calibration, --from, --to")
    span = {"from_ns": 0 if from_ns is None else from_ns, "to_ns": MAX_NS if to_ns is None else to_ns}
    every, wrong = cases.cases(folder)
    found = decisions.recalled(every, model=model, config=config, calibration=calibration, **span)
    for one in found:
        m = one.manifest
        click.echo(f"{m['evidence_id']}  {m['kind']}  {m['violation']['time']}", err=by.events_file == "-")
    events: list[CloudEvent] = []
    if not dry_run:
        at_ns = now_ns()
        outlet, signer = Outlet(by.events_file, by.site_file), signer_of(folder, by.key_file)
        try:
            for one in found:
                with suppress(decisions.DecidedError):  # somebody else has just retracted it
                    event = decisions.decide(
                        folder, one, "retracted", signer, officer=by.officer, reason=by.reason, at_ns=at_ns
                    )
                    events.append(event)
        finally:
            outlet.emit(events)
    told = f"{len(found)} cases would be retracted" if dry_run else f"{len(events)} cases retracted"
    click.echo(told, err=True)
    if wrong:
        raise DataLossError("\n".join(wrong))

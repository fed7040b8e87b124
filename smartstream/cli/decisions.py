"""What commands that decide cases share: who, why, when, and where the events go."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import click

from smartstream.cli.broker import find_broker
from smartstream.config.site import load_site
from smartstream.errors import InvalidInputError, UnavailableError
from smartstream.evidence.keys import Signer
from smartstream.model.event import CloudEvent
from smartstream.sinks.nats_once import publish_once

F = TypeVar("F", bound=Callable[..., Any])


def publishing(command: F) -> F:
    """Where events go."""
    for option in (
        click.option("--events", "events_file", metavar="FILE", help="Also append the events here; `-`: print them."),
        click.option("--site", "site_file", metavar="SITE.toml", type=Path, help="Publish to this site's broker."),
    ):
        command = option(command)
    return command


def signing(command: F) -> F:
    """Who signs the line of the log."""
    return click.option(
        "--key-file",
        metavar="PEM",
        type=click.Path(path_type=Path),
        help="Ed25519 key that signs the log.  [default: DIR.key.pem, made when missing]",
    )(command)


def signer_of(folder: Path, key_file: Path | None) -> Signer:
    """The key that signs the logs of a store.

    Raises:
        InvalidInputError: It cannot be read, or cannot be made.
        MissingExtraError: The library that signs is missing.
    """
    beside = Path(f"{os.path.abspath(folder)}.key.pem")  # also of `.`
    return Signer.load(beside if key_file is None else key_file, create=key_file is None)


class Decider(NamedTuple):
    """Who decides, why, where it is told, and who signs it: the options of a decision."""

    officer: str
    reason: str
    events_file: str | None
    site_file: Path | None
    key_file: Path | None


def deciding(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a decision, handed to the command as ``by``."""

    @wraps(command)
    def gathered(**options: Any) -> None:
        by = Decider(**{name: options.pop(name) for name in Decider._fields})
        command(**options, by=by)

    found = signing(gathered)
    found = click.option("--reason", required=True, help="Why.")(publishing(found))
    return click.option("--officer", required=True, help="Who decides; stands in the log and in the event.")(found)


def now_ns() -> int:
    """A person's act happens when it is done: the one instant that is read from the wall."""
    return time.time_ns() // 1_000_000 * 1_000_000


class Outlet:
    """Where events of decisions go; made before anything is decided, so that a wrong place stops nothing half-way.

    Raises:
        InvalidInputError: The file or the site cannot be used.
        UnavailableError: Nobody runs where the site's embedded broker would be.
    """

    def __init__(self, events_file: str | None, site_file: Path | None) -> None:
        self._file, self._name, self._site = None, events_file, None
        if site_file is not None:
            self._site = load_site(site_file)
            self._broker = find_broker(self._site, None)
        if events_file not in (None, "-"):
            try:
                self._file = Path(str(events_file)).open("ab")  # noqa: SIM115 (for the life of the command)
            except (OSError, ValueError) as e:
                raise InvalidInputError(f"--events {events_file}: cannot be written: {_reason(e)}") from None

    def emit(self, events: Sequence[CloudEvent]) -> None:
        """Append and publish.

        Raises:
            UnavailableError: The file or the broker does not take them; the decisions stand in the log.
        """
        text = b"".join(event.to_json() + b"\n" for event in events)
        if self._name == "-":
            sys.stdout.buffer.write(text)
            sys.stdout.buffer.flush()
        if self._file is not None:
            try:
                with self._file as file:
                    file.write(text)
            except OSError as e:
                raise UnavailableError(f"--events {self._name}: cannot be written: {_reason(e)}; {LATER}") from None
        if self._site is not None:
            site = self._site.site
            publish_once(self._broker, events, province=site.province, ward=site.ward, later=LATER)
        elif events and self._name is None:
            click.echo(f"no --site and no --events: nothing was published; {LATER}", err=True)


def _reason(e: Exception) -> str:
    return e.strerror if isinstance(e, OSError) and e.strerror else str(e)


LATER: Final = "decisions stand in the log, smartstream review publish sends them"

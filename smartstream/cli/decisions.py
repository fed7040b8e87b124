"""What commands that decide cases share: who, why, when, and where the events go."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from smartstream.cli.broker import find_broker
from smartstream.config.site import load_site
from smartstream.errors import InvalidInputError
from smartstream.model.event import CloudEvent
from smartstream.model.time import NS, parse_instant
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


def deciding(command: F) -> F:
    """The options of a decision."""
    command = click.option("--reason", required=True, help="Why.")(publishing(command))
    return click.option("--officer", required=True, help="Who decides; stands in the log and in the event.")(command)


def now_ns() -> int:
    """A person's act happens when it is done: the one instant that is read from the wall."""
    return time.time_ns() // 1_000_000 * 1_000_000


def instant(text: str | None, otherwise_ns: int) -> int:
    """An instant of the command line.

    Raises:
        InvalidInputError: It is none.
    """
    if text is None:
        return otherwise_ns
    try:
        return parse_instant(text)
    except ValueError as e:
        raise InvalidInputError(str(e)) from None


def emit(events: Sequence[CloudEvent], events_file: str | None, site_file: Path | None) -> None:
    """Append and publish.

    Raises:
        InvalidInputError: The file or the site cannot be used.
        UnavailableError: The broker does not take them.
    """
    text = b"".join(event.to_json() + b"\n" for event in events)
    if events_file == "-":
        sys.stdout.buffer.write(text)
    elif events_file is not None:
        try:
            with Path(events_file).open("ab") as file:
                file.write(text)
        except OSError as e:
            raise InvalidInputError(f"--events {events_file}: cannot be written: {e.strerror}") from None
    if site_file is not None:
        site = load_site(site_file)
        publish_once(find_broker(site, None), events, province=site.site.province, ward=site.site.ward)


FOREVER_NS = 253_402_300_799 * NS
"""The last instant that can be written."""

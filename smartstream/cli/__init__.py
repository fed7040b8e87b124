"""The command line. Each command lives in a module of its own and is loaded when it is called."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys

import click

from smartstream.errors import InvalidInputError, SmartstreamError

COMMANDS = {
    "bench": "measure the engine, beside its peers in the same run",
    "catalogue": "the systems a centre is connected to, with schema and sample",
    "check": "every mistake in a site file at once",
    "controller": "what signal controllers say, and who left on red",
    "demo": "the whole system, nothing to configure",
    "engine": "TensorRT engines of models: build ahead, list",
    "law": "candidate clauses by date, and what an amendment changes",
    "recall": "take back every case that rests on something found faulty",
    "review": "suspected cases before a named officer",
    "run": "the main job: every source of a site to events",
    "schema": "JSON Schema of the site file",
    "score": "precision and recall of an event file against a truth",
    "simulate": "make labelled junction scenes",
    "sources": "the connectors, each one class and a schema",
    "tail": "subscribe to events and print them for people",
    "track": "the tracker alone on a MOT Challenge detection file",
    "verify": "check an evidence store: hashes, chains, signatures",
}
"""Command to its line in the overview; ``smartstream.cli.<command>`` has a click command of that name."""


class _Commands(click.Group):
    """Loads a command's module only when it is wanted, so that ``--help`` is instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(f"smartstream.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="smartstream", prog_name="smartstream")
def _root() -> None:
    """The stream engine of a city's Intelligent Operations Centre."""


def main() -> None:
    """Entry point: 0 done, 2 the user's input is wrong, 1 anything else; one message, no traceback."""
    _standard_streams()
    try:
        _root(standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        sys.exit(1)
    except click.exceptions.Exit as e:
        sys.exit(e.exit_code)
    except click.ClickException as e:
        e.show()
        sys.exit(e.exit_code)
    except InvalidInputError as e:
        click.echo(f"smartstream: {e}", err=True)
        sys.exit(2)
    except SmartstreamError as e:
        click.echo(f"smartstream: {e}", err=True)
        sys.exit(1)
    except OSError as e:
        if e.errno != errno.EPIPE:  # who reads no more knows
            click.echo(f"smartstream: {f'{e.filename}: ' if e.filename else ''}{e.strerror or e}", err=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what standard output could not take, Python would try again
        sys.exit(1)


def _standard_streams() -> None:
    """All three are open: else the next file opened is one of them. A letter that a terminal lacks stops nothing."""
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
            setattr(sys, name, os.fdopen(fd, mode, encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

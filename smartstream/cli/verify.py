"""``smartstream verify``: whether an evidence store is as it was written."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from smartstream.errors import InvalidInputError
from smartstream.evidence.chain import CHAINS
from smartstream.evidence.keys import KEYS, published
from smartstream.evidence.store import PACKAGES, is_written
from smartstream.evidence.told import told_by
from smartstream.evidence.verify import verify as check


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--key",
    "keys",
    multiple=True,
    help="Id of a key that may have signed; may be given several times.  [default: every key in DIR]",
)
@click.option(
    "--events",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Events that runs and officers published of this store, kept elsewhere: what they tell must be in it.",
)
def verify(folder: Path, keys: tuple[str, ...], files: tuple[Path, ...]) -> None:
    """Check an evidence store: hashes, chains, signatures, and what events tell of it.

    Names every altered, missing, added or reordered piece; exit 1 when there is one.
    """
    if not any((folder / part).is_dir() for part in (KEYS, CHAINS, PACKAGES)):
        raise InvalidInputError(f"{folder}: expected an evidence store, found none of its folders in it")
    if is_written(folder):
        click.echo("a run writes here: what it has not committed yet is told as unlinked", err=True)
    if not keys and len(found := published(folder)) > 1:
        click.echo(f"every key in it is believed ({', '.join(sorted(found))}): name yours with --key", err=True)
    told = [one for file in files for one in told_by(file)]
    packages, findings = check(folder, trusted=frozenset(keys) or None, told=told)
    for finding in findings:
        click.echo(f"{finding.what}: {finding.where}{': ' if finding.detail else ''}{finding.detail}")
    click.echo(f"{packages} packages, {len(findings)} findings", err=True)
    if findings:
        sys.exit(1)

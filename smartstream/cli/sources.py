"""``smartstream sources``: the connectors, each one class and a schema."""

from __future__ import annotations

import click
import msgspec
from rich.table import Table

from smartstream.cli.tables import print_table
from smartstream.ingest.connectors import CONNECTORS, SCHEMAS


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, with the schema of every table's lines.")
def sources(as_json: bool) -> None:  # noqa: FBT001
    """Every connector: address, class, position to resume from, what it needs."""
    if as_json:
        rows = [{**msgspec.structs.asdict(c), "installed": c.installed} for c in CONNECTORS]
        said = {"connectors": rows, "lines": {name: msgspec.json.schema(kind) for name, kind in SCHEMAS.items()}}
        click.echo(msgspec.json.format(msgspec.json.encode(said), indent=2).decode())
        return
    table = Table("address", "tables of the site file", "class", "position to resume from", "needs")
    for c in CONNECTORS:
        needs = f"extra {c.extra}{'' if c.installed else ' (not installed)'}" if c.extra else ""
        table.add_row(c.address, ", ".join(c.tables), c.reader, c.position, needs)
    print_table(table)

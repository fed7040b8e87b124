"""``smartstream catalogue``: the systems a centre is connected to, with schema and sample."""

from __future__ import annotations

import click
import msgspec
from rich.table import Table

from smartstream.catalogue.records import RECORDS
from smartstream.catalogue.systems import fields_of, load_systems, page
from smartstream.cli.tables import print_table
from smartstream.errors import InvalidInputError


@click.command()
@click.argument("system", required=False)
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON, schemas included.")
@click.option("--markdown", is_flag=True, help="The page of the documents.")
def catalogue(system: str | None, as_json: bool, markdown: bool) -> None:  # noqa: FBT001
    """Every system with its place, or one SYSTEM with its schema and a sample line."""
    if markdown:
        click.echo("\n".join(page()))
        return
    systems = load_systems()
    if as_json:
        schemas = {name: msgspec.json.schema(kind) for name, kind in RECORDS.items()}
        said = {"systems": [s for s in systems if system in (None, s.id)], "schemas": schemas}
        click.echo(msgspec.json.format(msgspec.json.encode(said), indent=2).decode())
        return
    if system is None:
        table = Table("system", "name", "fit", "enters by", "schema", "shows")
        for s in systems:
            table.add_row(
                s.id, s.name, s.fit, s.enters, s.record or (f"refused: {s.refused}" if s.refused else ""), s.shows
            )
        print_table(table)
        return
    found = next((s for s in systems if s.id == system), None)
    if found is None:
        raise InvalidInputError(f"no system {system!r}; `smartstream catalogue` lists them")
    click.echo(f"{found.name} ({found.fit}): by {found.enters}, shows {found.shows}")
    if found.record:
        for field, form in fields_of(found.record):
            click.echo(f"  {field}: {form}")
    if found.sample:
        click.echo(msgspec.json.encode(found.sample).decode())

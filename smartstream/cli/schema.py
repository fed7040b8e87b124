"""``smartstream schema``: JSON Schema of the site file."""

from __future__ import annotations

import json

import click

from smartstream.config.site import Site


@click.command()
def schema() -> None:
    """JSON Schema of the site file on standard output, with every default and unit, for editors.

    In an editor that knows TOML schemas (taplo, Even Better TOML) point at it in the first line of the file:
    #:schema site.schema.json
    """
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Site.model_json_schema()}
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))

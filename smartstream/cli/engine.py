"""``smartstream engine``: TensorRT engines of models, built ahead of the run that needs them."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.table import Column, Table

from smartstream.cli.tables import print_table
from smartstream.vision.gpu.builder import find_library
from smartstream.vision.gpu.cache import EngineCache, EngineLabel
from smartstream.vision.gpu.cuda import Device
from smartstream.vision.gpu.detector import engine_cache
from smartstream.vision.gpu.engine import DEFAULT_BATCH, Plan, engine_for

_folder = click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of engines.  [default: $SMARTSTREAM_ENGINE_CACHE, else the user's cache]",
)


@click.group()
def engine() -> None:
    """Engines that the `tensorrt` detector runs. A run builds what is missing; built ahead, it starts at once."""


@engine.command()
@click.argument("model", metavar="MODEL.onnx", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--batch",
    type=int,
    multiple=True,
    default=DEFAULT_BATCH,
    show_default=True,
    help="Pictures in one go, of a model that leaves it open; may be given several times, rising.",
)
@click.option("--size", type=int, nargs=2, help="Width and height, of a model that leaves them open.")
@_folder
def build(model: Path, batch: tuple[int, ...], size: tuple[int, int] | None, cache: Path | None) -> None:
    """Build the engine of MODEL.onnx, unless it is there.

    Needs no GPU where tensorrt_rtx is installed.
    """
    library = find_library()
    device = None if library.portable else Device()
    kept = EngineCache(cache) if cache else engine_cache()
    label, built = engine_for(Plan(model, batch, size or None), library, device, kept)
    click.echo(f"{kept.path(label)}  {label.gpu}  batch {_batch(label)}  {len(built) / 2**20:.1f} MiB")


@engine.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@_folder
def list_engines(as_json: bool, cache: Path | None) -> None:  # noqa: FBT001
    """The engines that are there."""
    kept = EngineCache(cache) if cache else engine_cache()
    found = list(kept.list())
    if as_json:
        rows = [{**msgspec.to_builtins(label), "bytes": size} for label, size in found]
        click.echo(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode())
        return
    table = Table("model", Column("engine", no_wrap=True), "made by", "for GPU", "batch", "MiB")
    for label, size in found:
        table.add_row(label.name, label.key, label.made_with, label.gpu, _batch(label), f"{size / 2**20:.1f}")
    print_table(table)


def _batch(label: EngineLabel) -> str:
    return ", ".join(map(str, label.batch))

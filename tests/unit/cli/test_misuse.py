"""What a person types wrong is one line that says what was expected, with exit code 2 and no traceback."""

import click
import pytest
from click.testing import CliRunner

from smartstream.bench.accuracy import bench as accuracy
from smartstream.bench.soak import bench as soak
from smartstream.bench.streams import bench as streams
from smartstream.cli import _root
from smartstream.errors import MissingExtraError
from smartstream.evidence import keys
from smartstream.ingest import controller_log
from smartstream.vision import overlay


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        (streams, ["--python", "polars"], "expected PEER=PATH with one of duckdb, "),
        (streams, ["--python", "spark=/usr/bin/python3"], "expected PEER=PATH with one of duckdb, "),
        (soak, ["--size", "3xq"], "expected WIDTHxHEIGHT such as 1280x720, found '3xq'"),
        (accuracy, ["--seeds", "5-1"], "expected the smaller seed first, found '5-1'"),
    ],
)
def test_a_benchmark_refuses_what_it_cannot_read_before_it_runs(command, words, said):
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 2
    assert said in done.output


@pytest.mark.parametrize(
    ("module", "library", "asks", "extra"),
    [
        (overlay, "cv2", overlay.require_opencv, "draw"),
        (keys, "ed25519", keys.require_cryptography, "evidence"),
        (controller_log, "parquet", lambda: controller_log.read_log("log.parquet"), "controller"),
    ],
)
def test_a_library_that_is_missing_is_named_by_its_extra(monkeypatch, module, library, asks, extra):
    """Some ended with exit code 1, as if something had failed on the way."""
    monkeypatch.setattr(module, library, None)
    with pytest.raises(MissingExtraError, match=rf"needs its extra: pip install 'smartstream\[{extra}\]'"):
        asks()


def commands(group=_root, name="smartstream"):
    for word in group.list_commands(None):
        command = group.get_command(None, word)
        yield f"{name} {word}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {word}")


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_every_option_is_explained_and_no_overview_is_cut(name, command):
    unsaid = [p.name for p in command.params if isinstance(p, click.Option) and not p.help]
    assert not unsaid
    said = CliRunner().invoke(command, ["--help"]).output
    assert "``" not in said
    if isinstance(command, click.Group):
        assert "..." not in said.partition("Commands:")[2]

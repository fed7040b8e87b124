"""``nan`` is above no bound and below none: without a check of its own it runs for ever, or into a traceback."""

import pytest
from click.testing import CliRunner

from smartstream.cli.score import score
from smartstream.cli.simulate import simulate
from smartstream.cli.track import track


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(
    ("command", "words", "option"),
    [
        *((simulate, ["out", "--seed", "1"], f"--{name}") for name in ("seconds", "fps", "density", "noise")),
        (simulate, ["out", "--seed", "1", "--scenario", "city"], "--hours"),
        (score, ["a", "b"], "--tolerance"),
        (track, ["a", "--output", "b"], "--fps"),
    ],
)
def test_what_is_no_number_is_refused(command, words, option, value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command, [*words, option, value])
    assert done.exit_code == 2
    assert option in done.output
    assert list(tmp_path.iterdir()) == []

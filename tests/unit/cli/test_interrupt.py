"""Ctrl-C before the command line is loaded."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
INTERRUPTED = """
import sys
from importlib import import_module
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {loading!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt())
module, _, function = {entry!r}.partition(":")
getattr(import_module(module), function)()
"""


@pytest.mark.parametrize("loading", ["smartstream.cli", "click", "smartstream._core"])
def test_an_interrupt_while_the_command_loads_ends_it_without_a_traceback(loading: str) -> None:
    entry = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["smartstream"]
    words = [sys.executable, "-c", INTERRUPTED.format(loading=loading, entry=entry), "check", "no.toml"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (1, "", "")

"""Each story straight, cut behind every turn, in any order of its sides, and by `smartstream run` on two workers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from smartstream.testing.golden import play

STORIES = sorted(path.parent for path in Path(__file__).parent.glob("*/site.toml"))


@pytest.fixture(params=STORIES, ids=lambda path: path.name)
def story(request):
    return request.param


def expected(story):
    return sorted((story / "expected.ndjson").read_text().splitlines())


def test_straight(story):
    assert play(story / "site.toml") == expected(story)


def test_cut_behind_every_turn(story):
    assert play(story / "site.toml", cut=True) == expected(story)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_order_of_the_sides(story, seed):
    assert play(story / "site.toml", order_seed=seed, cut=seed == 2) == expected(story)


def test_by_the_command_on_two_workers(story, tmp_path):
    command = [sys.executable, "-m", "smartstream", "run", str(story / "site.toml"), "--no-nats", "--workers", "2"]
    done = subprocess.run([*command, "--events", str(tmp_path / "e")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted((tmp_path / "e").read_text().splitlines()) == expected(story)


def test_every_story_has_its_folder():
    sys.path.insert(0, str(Path(__file__).parent))
    from stories import STORIES as TOLD

    assert sorted(TOLD) == [path.name for path in STORIES]


def test_ids_are_never_shared():
    for path in STORIES:
        ids = [json.loads(line)["id"] for line in expected(path)]
        assert len(ids) == len(set(ids))

"""Pages that list what the code knows."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_SAID = re.compile(r'(?:Refused(?:Record)?Error|_dead)\(\s*(?:\w+, )?"([a-z_]+)"|"streams",\s+"([a-z_]+)"')


def test_every_reason_of_a_dead_letter_is_explained():
    page = (ROOT / "docs/design/dead_letters.md").read_text(encoding="utf-8")
    python = [*ROOT.glob("smartstream/**/*.py"), *ROOT.glob("pipelines/**/*.py")]
    said = {a or b for file in python for a, b in _SAID.findall(file.read_text(encoding="utf-8"))}
    loss = (ROOT / "core_rs/ss_ingest/src/loss.rs").read_text(encoding="utf-8")
    said |= set(re.findall(r'=> "([a-z_]+)"', loss.split("fn stage")[0]))
    assert len(said) > 30
    assert {reason for reason in said if f"`{reason}`" not in page} == set()

"""How commands find the broker of a run."""

import os
from pathlib import Path

import pytest

from smartstream.errors import UnavailableError
from smartstream.sinks import discovery


def test_the_store_of_another_user_is_not_said_to_be_idle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", closed)  # root, who runs tests, may read everything
    with pytest.raises(UnavailableError, match="belongs to another user"):
        discovery.find(tmp_path)

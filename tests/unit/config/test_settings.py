"""Settings from the environment: secrets stay secret, mistakes name the variable."""

from pathlib import Path

import pytest

from smartstream.config.settings import camera_login, settings
from smartstream.errors import ConfigError


def test_an_empty_variable_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTSTREAM_NATS_USER", "")
    assert settings().nats_user is None


def test_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTSTREAM_NATS_TOKEN", "hush")
    found = settings()
    assert "hush" not in repr(found)
    assert found.nats_token is not None
    assert found.nats_token.get_secret_value() == "hush"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"NATS_USER": "me"},
            "SMARTSTREAM_NATS_USER — found one of NATS_USER and NATS_PASSWORD — expected both",
        ),
        ({"NATS_TOKEN": "hush", "NATS_CREDS": str(Path(__file__))}, "expected one way to log in"),
        ({"NATS_CREDS": "nowhere.creds"}, "expected a credentials file"),
        ({"DECODER": "gpu"}, "SMARTSTREAM_DECODER — found \"gpu\" — expected 'cpu' or 'nvdec'"),
        (
            {"LOG_LEVEL": "loud"},
            "SMARTSTREAM_LOG_LEVEL — found \"loud\" — expected 'debug', 'info', 'warning' or 'error'",
        ),
    ],
)
def test_a_wrong_variable_is_named(variables: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"SMARTSTREAM_{name}", value)
    with pytest.raises(ConfigError) as e:
        settings()
    assert message in str(e.value)
    assert "hush" not in str(e.value)


def test_a_cameras_own_login_comes_before_that_of_all(monkeypatch):
    assert camera_login("cam-s") is None
    monkeypatch.setenv("SMARTSTREAM_CAMERA_USER", "all")
    monkeypatch.setenv("SMARTSTREAM_CAMERA_PASSWORD", "geheim")
    monkeypatch.setenv("SMARTSTREAM_CAMERA_CAM_S_USER", "own")
    with pytest.raises(ConfigError, match="SMARTSTREAM_CAMERA_CAM_S_PASSWORD") as e:
        camera_login("cam-s")
    assert "geheim" not in str(e.value)
    monkeypatch.setenv("SMARTSTREAM_CAMERA_CAM_S_PASSWORD", "tief geheim")
    for camera, user, password in (("cam-s", "own", "tief geheim"), ("cam-n", "all", "geheim")):
        login = camera_login(camera)
        assert login is not None
        assert (login[0], login[1].get_secret_value()) == (user, password)
        assert password not in repr(login)

"""Settings from the environment: secrets stay secret, mistakes name the variable."""

from pathlib import Path

import pytest

from smartstream.config.settings import read_settings
from smartstream.errors import ConfigError


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTSTREAM_LOG_LEVEL", "")
    found = read_settings()
    assert (found.log_level, found.nats_user) == ("info", None)


def test_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTSTREAM_NATS_TOKEN", "hush")
    found = read_settings()
    assert "hush" not in repr(found)
    assert found.nats_token is not None
    assert found.nats_token.get_secret_value() == "hush"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"LOG_LEVEL": "loud"}, 'SMARTSTREAM_LOG_LEVEL — found "loud" — expected one of "debug"'),
        ({"METRICS_PORT": "x"}, 'SMARTSTREAM_METRICS_PORT — found "x" — expected a number from 1 to 65535'),
        (
            {"NATS_USER": "me"},
            "SMARTSTREAM_NATS_USER — found one of NATS_USER and NATS_PASSWORD — expected both",
        ),
        ({"NATS_TOKEN": "hush", "NATS_CREDS": str(Path(__file__))}, "expected one way to log in"),
        ({"NATS_CREDS": "nowhere.creds"}, "expected a credentials file"),
    ],
)
def test_a_wrong_variable_is_named(variables: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"SMARTSTREAM_{name}", value)
    with pytest.raises(ConfigError) as e:
        read_settings()
    assert message in str(e.value)
    assert "hush" not in str(e.value)

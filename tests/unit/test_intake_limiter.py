import pytest

pytest.importorskip("aiohttp", reason="the extra intake is not installed")

from smartstream.ingest.intake import Limiter


def test_a_client_gets_its_rate_and_no_more():
    now = [0.0]
    limiter = Limiter(6, lambda: now[0])
    assert [limiter.passes("a") for _ in range(7)] == [True] * 6 + [False]
    assert limiter.passes("b")
    now[0] = 10.0
    assert [limiter.passes("a") for _ in range(2)] == [True, False]
    now[0] = 1000.0
    assert sum(limiter.passes("a") for _ in range(20)) == 6

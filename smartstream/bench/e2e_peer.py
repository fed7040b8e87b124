"""The peer of ``bench e2e``: ``python -m smartstream.bench.e2e_peer CAMERA BROKER``, what people build by hand.

OpenCV's capture, MOG2, contours, ByteTrack and two rules on each picture as it comes; what they find goes out by
nats-py. The states of the signals are read from the clip's file: nobody keeps it waiting for them.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

import nats

from smartstream.bench.e2e_street import CLIP, FPS
from smartstream.bench.judge import Case
from smartstream.bench.vision_worker import chain
from smartstream.model.time import MAX_NS, NS, rfc3339


async def watch(url: str, broker: str) -> None:
    """Until the camera has no more pictures."""
    user, password = os.environ["SMARTSTREAM_NATS_USER"], os.environ["SMARTSTREAM_NATS_PASSWORD"]
    nc = await nats.connect(broker, user=user, password=password)
    told: set[tuple[str, int]] = set()
    begun_ns = MAX_NS
    for number, found in chain(url, Case.load(CLIP / "site.toml"), fps=FPS):
        begun_ns = min(begun_ns, time.time_ns() - number * NS // FPS)  # the picture that came quickest tells the pace
        for kind, track in found - told:
            event = {
                "id": f"{kind}/{track}",
                "source": "/usual",
                "type": f"vn.ioc.violation.{kind}.suspected.v1",
                "subject": str(track),
                "time": rfc3339(begun_ns + number * NS // FPS),
                "data": {},
            }
            await nc.publish(f"ioc.19._.violation.{kind}.suspected", json.dumps(event).encode())
        told |= found
        await asyncio.sleep(0)  # the client writes when nobody else does
    await nc.drain()


if __name__ == "__main__":
    asyncio.run(watch(*sys.argv[1:]))

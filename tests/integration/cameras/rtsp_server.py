#!/usr/bin/python3
"""A real RTSP server (GStreamer's) that plays an encoded clip; run by the system's Python, which has `gi`.

``rtsp_server.py CLIP CODEC PORT [--user NAME --password WORD] [--lose N] [--certificate PEM] [--sender-reports]``

Prints ``ready`` when it listens. ``--lose N``: each N-th RTP packet is never sent. The clip is an MP4.
"""

import argparse
import ctypes
import signal
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("clip")
parser.add_argument("codec", choices=["h264", "h265"])
parser.add_argument("port", type=int)
parser.add_argument("--user")
parser.add_argument("--password")
parser.add_argument("--lose", type=int, default=0)
parser.add_argument("--certificate")
arguments = parser.parse_args()
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: a test run that is killed leaves nothing behind

Gst.init(None)


class Camera(GstRtspServer.RTSPMediaFactory):
    """Plays the clip at its pace to all who ask, from its beginning for the first."""

    def do_create_element(self, url):
        depay = "264" if arguments.codec == "h264" else "265"
        pipeline = Gst.parse_launch(
            f"( filesrc location={arguments.clip} ! qtdemux ! {arguments.codec}parse config-interval=-1 "
            f"! rtph{depay}pay name=pay0 pt=96 mtu=1200 )"
        )
        if arguments.lose:
            sent = 0

            def lose(_pad, info):
                nonlocal sent
                sent += 1
                dropped = sent > 200 and sent % arguments.lose == 0
                return Gst.PadProbeReturn.DROP if dropped else Gst.PadProbeReturn.OK

            kinds = Gst.PadProbeType.BUFFER
            pay = pipeline.get_by_name("pay0")
            # A list of buffers is a whole picture; one packet of it is enough to lose.
            pay.set_property("mtu", 1200)
            pay.get_static_pad("src").add_probe(kinds | Gst.PadProbeType.BUFFER_LIST, lose)
        return pipeline


server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(str(arguments.port))
factory = Camera()
factory.set_shared(True)
if arguments.certificate:
    auth = GstRtspServer.RTSPAuth()
    auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(arguments.certificate))
    server.set_auth(auth)
if arguments.user:
    auth = server.get_auth() or GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_digest(arguments.user, arguments.password, token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)
server.get_mount_points().add_factory("/camera", factory)
if server.attach(None) == 0:
    sys.exit("cannot listen")
loop = GLib.MainLoop()
signal.signal(signal.SIGTERM, lambda *_: loop.quit())
print("ready", flush=True)
loop.run()

"""An RTSP camera (RTP over TCP, H.264) whose pictures, timestamps and sender reports a test writes itself."""

import socket
import struct
import threading
import time
from base64 import b64encode
from contextlib import suppress

TICKS = 90_000
STEP = TICKS // 25
_NTP_EPOCH_S = 2_208_988_800
_MOST = 1400


def pictures(clip):
    """The access units of a raw H.264 clip with one slice a picture: lists of NAL units, parameter sets first."""
    units, unit = [], []
    for nal in (piece.rstrip(b"\0") for piece in clip.read_bytes().split(b"\0\0\1")[1:]):
        if nal[0] & 31 in (1, 5, 7, 8):
            unit.append(nal)
        if nal[0] & 31 in (1, 5):
            units.append(unit)
            unit = []
    return units


class ScriptedCamera:
    """Listens at ``port``; every caller that says PLAY is given to ``play(camera)`` and then left."""

    def __init__(self, clip, play):
        self.pictures = pictures(clip)
        self._play = play
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"rtsp://127.0.0.1:{self._server.getsockname()[1]}/video"
        sets = [next(nal for unit in self.pictures for nal in unit if nal[0] & 31 == kind) for kind in (7, 8)]
        self._sdp = (
            b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
            b"a=fmtp:96 packetization-mode=1;sprop-parameter-sets=%s\r\na=control:t0\r\n"
            % b",".join(map(b64encode, sets))
        )
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._server.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self._server.accept()[0],), daemon=True).start()

    def _serve(self, caller):
        with suppress(OSError), caller:
            while asked := caller.recv(65536):
                number = next(line for line in asked.split(b"\r\n") if line.lower().startswith(b"cseq"))
                answer = b"RTSP/1.0 200 OK\r\n" + number + b"\r\nPublic: DESCRIBE, SETUP, PLAY\r\nSession: 1\r\n"
                if asked.startswith(b"DESCRIBE"):
                    words = b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % len(self._sdp)
                    caller.sendall(answer + words + self._sdp)
                    continue
                caller.sendall(answer + b"Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n")
                if asked.startswith(b"PLAY"):
                    self._play(Sender(caller, self.pictures))
                    return


class Sender:
    """What ``play`` sends with."""

    def __init__(self, caller, pictures):
        self._caller, self.pictures, self._number = caller, pictures, 0
        self._begun = time.time()

    def picture(self, unit, ticks):
        """The NAL units of one picture at a timestamp, in fragments (FU-A, RFC 6184) where they are long."""
        for i, nal in enumerate(unit):
            last, header = i == len(unit) - 1, nal[0]
            if len(nal) <= _MOST:
                self._rtp(nal, ticks, last)
                continue
            pieces = [nal[at : at + _MOST] for at in range(1, len(nal), _MOST)]
            for n, piece in enumerate(pieces):
                ends = n == len(pieces) - 1
                edge = (0x80 if n == 0 else 0) | (0x40 if ends else 0)
                self._rtp(bytes([header & 0xE0 | 28, edge | header & 31]) + piece, ticks, last and ends)

    def report(self, ticks, at_s):
        """A sender report: this timestamp is this instant of the camera's clock."""
        words = (7, int(at_s) + _NTP_EPOCH_S & 0xFFFFFFFF, int(at_s % 1 * 2**32), ticks & 0xFFFFFFFF, 0, 0)
        self._interleave(1, struct.pack(">BBH6I", 0x80, 200, 6, *words))

    def wait_s(self, since_begin_s):
        """Until so long after PLAY; the instant."""
        time.sleep(max(0.0, self._begun + since_begin_s - time.time()))
        return self._begun + since_begin_s

    def _rtp(self, payload, ticks, marked):
        self._number += 1
        head = (0x80, 96 | (0x80 if marked else 0), self._number & 0xFFFF, ticks & 0xFFFFFFFF, 7)
        self._interleave(0, struct.pack(">BBHII", *head) + payload)

    def _interleave(self, channel, packet):
        self._caller.sendall(b"$" + bytes([channel]) + len(packet).to_bytes(2, "big") + packet)

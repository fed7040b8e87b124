"""The Rust core: decoding, vision and rules. Written by hand, checked against the module by stubtest."""

from typing import Final, Literal, Self, TypeAlias, TypedDict, final

import numpy as np
import numpy.typing as npt

__version__: str
ERROR_KINDS: list[str]

_LampChange: TypeAlias = tuple[str, str, int, int, float]
_Polled: TypeAlias = (
    tuple[Literal["tracks"], int, int, bytes]
    | tuple[Literal["lamps"], list[_LampChange], int]
    | tuple[Literal["dead"], str, str, int, str, str, int]
    | tuple[Literal["gap"], int, int, str]
    | tuple[Literal["health"], str, str, int, str]
    | tuple[Literal["sight"], str, str, int, int, str, tuple[float, float] | None]
    | tuple[Literal["idle"], int]
    | tuple[Literal["end"]]
    | tuple[Literal["note"], str, str]
)

@final
class CameraRun:
    """One camera from file to tracks on a thread of its own: decode, detect, track.

    A file camera never drops a frame: it waits while nobody polls. A resumed run gives exactly what an
    uninterrupted one would have given after that position. A live camera cannot be taken back: a resumed run begins
    with a gap and goes on from now, as another run.

    Args:
        config: JSON: ``camera`` (id), ``files`` (consecutive, one run) or ``live`` (a table:
            ``url``, ``transport``, ``user``, ``password``, ``tls_fingerprint``, ``shed``, ``shed_nth``, ``behind_s``,
            ``connect_timeout_s``, ``read_timeout_s``, ``idle_s``, ``clock_tolerance_s``, ``ring_s``, ``ring_mb``,
            ``pace``), ``start_time_ns`` (event time of the
            first frame), ``detector`` (``motion``, or the name of one behind ``hub``), ``motion`` (settings of
            the detector), ``look`` (how a detector behind ``hub`` is used, see
            ``smartstream.vision.service.look_config``), ``heads`` (signal heads: tables of ``zone``, ``polygon``
            (normalised), ``groups``, ``lamps`` (``red``, ``amber``, ``green``, ``hidden``, from the top or the
            left), ``arrow``), ``tracker_preset``,
            ``tracker`` (parameters of the preset to change), ``calibration`` (``{"image": [[x, y], …],
            "world_m": …}`` or null), ``checkpoint_s`` (10: how often the vision state is written),
            ``batch_ms`` (250: longest batch in event time). Unknown keys are errors.
        resume: What ``position`` gave; absent: from the first frame.
        state_dir: Where the vision state is kept between stops; absent: a resumed run decodes from the start.
        hub: The way to a detector outside of this module.

    Raises:
        InvalidInputError: A wrong configuration, a file that cannot be opened, or a position taken with other
            files or settings.
        UnavailableError: ``state_dir`` cannot be made.
    """

    def __new__(
        cls,
        config: bytes,
        resume: bytes | None = None,
        state_dir: str | None = None,
        hub: DetectorHub | None = None,
    ) -> Self: ...
    def poll(self, max_items: int) -> list[_Polled]:
        """What is ready now; never waits.

        ``("tracks", first_ns, last_ns, batch)``: at most 250 ms of frames, readable by
        ``smartstream.model.tracks``. ``("dead", stage, reason, at_ns, place, detail, count)``: frames or
        packets lost. ``("lamps", changes, settled_ns)``: what signal groups show, as (group, state, after_ns, since_ns,
        confidence): the change lies after the one instant and not later than the other; nothing at or before
        ``settled_ns`` will follow. ``("gap", run, at_ns, reason)``: this run broke; the next frame begins another.
        ``("health", what, "opened" | "closed", at_ns, detail)`` and ``("idle", at_ns)`` (hold nobody up for it) come
        from live cameras. ``("sight", what, "opened" | "closed", since_ns, found_ns, detail, shift)``: the pictures
        show that the camera is ``covered``, ``blurred``, ``moved`` (by ``shift``: right, down, in parts of the picture)
        or ``frozen``, since the last good look. ``("end",)``: nothing follows. ``("note", what, text)``: for the log,
        no part of the results.

        Items that belong together come together, so there may be a few more than ``max_items``.

        Raises:
            DataLossError: The files no longer lead to where the run stopped.
        """

    def position(self) -> bytes:
        """Where to go on after the last item polled, as JSON; name it in a commit and hand it in as ``resume``."""

    def counts(self) -> dict[str, int]:
        """Counters as of the last item polled.

        ``frames_decoded``, ``frames_seen``, ``frames_doubtful`` (may build on a damaged one),
        ``frames_time_guessed``, ``detections``, ``track_rows``, ``batches``, ``gaps``,
        ``packets_received`` and ``connections`` (live), ``lost_<reason>``; they go
        on after a resume. ``frames_between`` lie between two looks of a detector behind a hub, which was asked about
        ``pictures_asked``. ``frames_redecoded`` is what this process decoded again to get where it was.
        """

    def ring(self) -> PacketRing:
        """The recent past of this camera, to cut clips and stills from; it may outlive the run."""

    def close(self) -> None:
        """Stop the thread; it ends within a few frames. Polling a closed run is an error."""

def probe_live(config: bytes) -> None:
    """Connect to the live camera of a ``CameraRun`` configuration once, take a packet, and leave.

    Raises:
        InvalidInputError: Why it gives no video; never with its login.
    """

class _Clip(TypedDict):
    data: bytes
    container: str
    codec: str
    first_ns: int
    last_ns: int
    frames: int
    truncated: bool

class _ColourStill(TypedDict):
    time_ns: int
    rgb: npt.NDArray[np.uint8]

@final
class PacketRing:
    """Compressed video of the recent past, as it came: clips are copied, never encoded again.

    Any thread may ask; the camera goes on meanwhile. A file camera reads the file again where it lies, so nothing
    of it is ever gone; the same question gives the same bytes, in a resumed run too.
    """

    def clip(self, from_ns: int, to_ns: int) -> _Clip:
        """A video file of that span, of the run that holds its middle.

        ``data``: a whole file, ``container`` ``mp4`` (index in front) or ``matroska``; ``codec``: libav's name;
        ``first_ns``, ``last_ns``: event time of its first picture (the key frame at or before ``from_ns``; the
        clip's own time 0) and of its last (one more than asked for where that is needed to decode);
        ``frames``: pictures in it; ``truncated``: it misses more than a second of what was asked for.

        Raises:
            InvalidInputError: ``to_ns`` before ``from_ns``, or more than 300 s after it.
            UnavailableError: The camera has not come so far yet; ask again later.
            DataLossError: Nothing of the span is held any more, or it cannot be read.
        """

    def still(self, at_ns: int) -> _ColourStill:
        """The latest picture at ``at_ns`` (else the first that is held): its ``time_ns``, ``rgb`` (H, W, 3) uint8.

        Raises:
            UnavailableError: As ``clip``.
            DataLossError: As ``clip``, or no picture there can be decoded.
        """

LEAST_LAMP_PX: Final[float]
"""Least side of a lamp, in pixels, at which it can be read."""

def lamp_size_px(head: bytes, size: tuple[int, int]) -> float:
    """The shorter side of the smallest lamp of a signal head in a picture of ``size`` (width, height), pixels.

    Args:
        head: One of the ``heads`` of ``CameraRun``'s configuration, as JSON.
        size: Of the picture.

    Raises:
        InvalidInputError: What is no head.
    """

def encode_jpeg(rgb: npt.NDArray[np.uint8], quality: int = 92) -> bytes:
    """An (H, W, 3) uint8 picture as JPEG, chroma at full resolution; ``quality`` 1 to 100.

    Raises:
        InvalidInputError: Another shape.
    """

@final
class DetectorHub:
    """Where cameras ask and a detector answers. Each camera waits for its answer, others decode meanwhile."""

    def __new__(cls) -> Self: ...
    def take(self, full: int, patience_s: float) -> list[Question] | None:
        """Wait for pictures: at most ``full``, no longer than ``patience_s`` after the oldest was asked.

        Returns:
            One question per picture, each to be answered or refused; ``None`` when the hub is closed.
        """

    def close(self) -> None:
        """Nobody answers any more: cameras that ask are told so."""

@final
class Question:
    """One camera's picture, waiting for its detections.

    Attributes:
        camera: Who asks.
        picture: uint8, of the shape that was asked for.
        size: Columns and rows that the camera's picture takes in it.
        bt709: ``nv12``: its colours are those of BT.709, else of BT.601.
        full_range: ``nv12``: its samples use 0–255 in full, else 16–235.
    """

    @property
    def camera(self) -> str: ...
    @property
    def picture(self) -> npt.NDArray[np.uint8]: ...
    @property
    def size(self) -> tuple[int, int]: ...
    @property
    def bt709(self) -> bool: ...
    @property
    def full_range(self) -> bool: ...
    def answer(
        self, boxes: npt.NDArray[np.float32], scores: npt.NDArray[np.float32], classes: npt.NDArray[np.uint8]
    ) -> None:
        """Give the detections: boxes (N, 4) x1 y1 x2 y2 in pixels of the picture, scores (N,), class codes (N,).

        Raises:
            InvalidInputError: Other shapes or types, an unknown code, or a second answer.
        """

    def refuse(self, why: str) -> None:
        """The camera is lost for this reason."""

def suppress(
    boxes: npt.NDArray[np.float32],
    scores: npt.NDArray[np.float32],
    classes: npt.NDArray[np.uint8],
    *,
    limit: float,
    most: int,
) -> npt.NDArray[np.uint32]:
    """Indices of the boxes that stay, surest first: of two of one class whose IoU is above ``limit``, one goes.

    Raises:
        InvalidInputError: Other shapes or types.
    """

class _Probe(TypedDict):
    container: str
    codec: str
    pixel_format: str
    width: int
    height: int
    fps: float
    fps_assumed: bool
    duration_s: float | None
    frames: int | None

def probe(path: str) -> _Probe:
    """What a video file holds; its first frame has been decoded, so it can be run.

    Raises:
        InvalidInputError: Missing, empty, no video, of a codec or pixel format that is not supported, or
            without a frame that can be decoded.
    """

def use_nvdec() -> None:
    """From now on H.264 and H.265 are decoded by NVDEC, in this process, where a stream allows it.

    Raises:
        UnavailableError: There is none on this machine, or not in its FFmpeg: decoding goes on as before.
    """

def still(path: str, at_s: float = 0.0) -> npt.NDArray[np.uint8]:
    """The luma of the first intact frame at or after ``at_s`` seconds, or of the last: (height, width) uint8.

    Raises:
        InvalidInputError: As ``probe``.
    """

def scan(path: str) -> dict[str, int]:
    """Decode a whole file: ``frames_seen``, ``frames_doubtful`` (after a damaged one), ``gaps``, ``lost_<reason>``.

    Raises:
        InvalidInputError: As ``probe``; a file without a frame that can be decoded is told by its losses.
    """

@final
class Tracks:
    """R rows of tracks in columns. One frame's rows are ordered by track.

    Attributes:
        track: (R,) uint32, number of the track, from 1, never reused.
        box: (R, 4) float32, x1 y1 x2 y2 as detected.
        score: (R,) float32, of the detection.
        class_code: (R,) uint8, index into ``VEHICLE_CLASSES``; the score-weighted vote so far.
        flags: (R,) uint8, ``DOUBTFUL`` where the identity may have passed to another road user.
        detection: (R,) uint32, index of the row's detection among those given.
    """

    @property
    def track(self) -> npt.NDArray[np.uint32]: ...
    @property
    def box(self) -> npt.NDArray[np.float32]: ...
    @property
    def score(self) -> npt.NDArray[np.float32]: ...
    @property
    def class_code(self) -> npt.NDArray[np.uint8]: ...
    @property
    def flags(self) -> npt.NDArray[np.uint8]: ...
    @property
    def detection(self) -> npt.NDArray[np.uint32]: ...
    def __len__(self) -> int: ...

@final
class Tracker:
    """Multi-object tracker of one camera.

    Lengths are relative to the boxes, so boxes may be normalised or in pixels.

    Args:
        preset: ``vehicle`` (reports the first sighting), ``vehicle_stable`` (needs two: half the identity
            switches), ``pedestrian`` or ``motion`` (blobs of the motion detector).
        **overrides: Parameters of the preset by name, for example ``lost_s=2.0``.

    Raises:
        InvalidInputError: An unknown preset or parameter, or a value out of range.
    """

    def __new__(cls, preset: str = "vehicle", **overrides: float) -> Self: ...
    def update(
        self,
        time_ns: int,
        boxes: npt.NDArray[np.float32],
        scores: npt.NDArray[np.float32],
        classes: npt.NDArray[np.uint8] | None = None,
    ) -> Tracks:
        """Tracks in the frame taken at ``time_ns``. Call it for every frame, also for one without detections.

        Boxes that are not finite or empty are dropped and counted.

        Args:
            time_ns: When the frame was taken; a frame not later than the one before moves nothing.
            boxes: (N, 4) float32, C-contiguous, x1 y1 x2 y2.
            scores: (N,) float32, contiguous, 0-1.
            classes: (N,) uint8, contiguous, indices into ``VEHICLE_CLASSES``; absent: unknown.

        Raises:
            InvalidInputError: A wrong type, shape, layout or class code; nothing was tracked then.
        """

    def track_clip(
        self,
        frames: npt.NDArray[np.int64],
        boxes: npt.NDArray[np.float32],
        scores: npt.NDArray[np.float32],
        classes: npt.NDArray[np.uint8] | None = None,
        *,
        fps: float | None = None,
    ) -> tuple[npt.NDArray[np.int64], Tracks]:
        """Track a whole clip in one call: the frame of each row, and the rows.

        The same as ``update`` for every frame from the first to the last at ``frame / fps`` seconds.

        Args:
            frames: (N,) int64, contiguous, the frame of each detection, not falling.
            boxes: As in ``update``.
            scores: As in ``update``.
            classes: As in ``update``.
            fps: Frames per second; absent: what the preset's noise is stated for.

        Raises:
            InvalidInputError: As ``update``, or frames that fall; nothing was tracked then.
        """

    @property
    def counts(self) -> dict[str, int]:
        """``detections`` given so far, and those not used: ``unusable``, ``weak``, ``duplicates``."""

    def snapshot(self) -> bytes:
        """Everything that later frames depend on; the first byte is the version."""

    def restore(self, snapshot: bytes) -> None:
        """Go on from a snapshot of a tracker with the same parameters.

        Raises:
            InvalidInputError: A version this release does not know.
            DataLossError: Not a whole snapshot.
        """

@final
class JunctionEngine:
    """Judges one junction: tracks and signal states in, crossings and verdicts out.

    Input is kept until the frontier has passed it and judged then in the order of event time, so the answers
    do not depend on how the input was cut into calls, which side spoke first, or on a stop and resume.

    Args:
        config: JSON made by ``smartstream.rules.compile``.

    Raises:
        InvalidInputError: Names what in the configuration cannot be used.
    """

    def __new__(cls, config: bytes) -> Self: ...
    def signals(
        self,
        time_ns: npt.NDArray[np.int64],
        group: npt.NDArray[np.uint16],
        state: npt.NDArray[np.uint8],
        *,
        after_ns: npt.NDArray[np.int64] | None = None,
        witness: bool = False,
    ) -> None:
        """What signal groups show from an instant on. Lines at or before the frontier are counted as late.

        Args:
            time_ns: (N,) int64, contiguous, event time.
            group: (N,) uint16, contiguous, index of the group in the configuration.
            state: (N,) uint8, contiguous, index into ``SIGNAL_STATES``.
            after_ns: (N,) int64, contiguous: the state began after this instant, not later than ``time_ns``; absent:
                at ``time_ns``.
            witness: Not the group's source says so but another beside it: where the two differ, nobody is accused.

        Raises:
            InvalidInputError: Columns of different length, an unknown group or state, ``after_ns`` after ``time_ns``.
        """

    def late_signal(self, group: int, state: int, from_ns: int, until_ns: int) -> None:
        """A line came too late: where it speaks against what the group was taken for, suspicions are retracted.

        Args:
            group: Index of the group in the configuration.
            state: What the line says, index into ``SIGNAL_STATES``.
            from_ns: Since when.
            until_ns: Until when nothing that came in time says otherwise, exclusive.

        Raises:
            InvalidInputError: An unknown group or state.
        """

    def tracks(self, camera: int, batch: bytes) -> int:
        """Frames of a camera in order. What the frontier or a newer frame has passed is late: answers how many.

        Args:
            camera: Index of the camera in the configuration.
            batch: A ``TrackBatch`` in wire form.

        Raises:
            InvalidInputError: An unknown camera, or not a whole batch.
        """

    def gap(self, camera: int, at_ns: int) -> None:
        """The session of a camera broke: nothing that was open can be proved.

        Raises:
            InvalidInputError: An unknown camera.
        """

    def condition(
        self, time_ns: int, until_ns: int, condition: str, *, camera: str | None = None, lane: str | None = None
    ) -> None:
        """A condition lifts rules for a while: an officer, a permit, a flood, an invalid clock and the like.

        What was suspected under it before it became known is retracted with the next outcomes.

        Args:
            time_ns: First instant.
            until_ns: First instant after it.
            condition: One of the interface's conditions.
            camera: Camera it holds at; absent: the whole junction.
            lane: Lane it holds in; absent: all.

        Raises:
            InvalidInputError: An unknown condition or camera.
        """

    def reading(self, time_ns: int, lane: str, speed_kmh: float, certified: bool, *, camera: str | None = None) -> None:
        """A meter measured a speed; only a certified one accuses.

        Args:
            time_ns: When.
            lane: Where.
            speed_kmh: How fast.
            certified: Whether the meter's certificate covers the reading.
            camera: Whose lane; absent: of the first camera that has one of that name.

        Raises:
            InvalidInputError: No speed, an unknown camera, or a lane that is not there.
        """

    def advance(self, frontier_ns: int) -> bytes:
        """Judge everything up to and including ``frontier_ns``: all of it has been handed in.

        Returns:
            JSON list of outcomes in the order of decision, then time, camera, track and kind.
        """

    def finish(self) -> bytes:
        """The input has ended: judge what is left and settle what is open; as ``advance``."""

    def ledger(self) -> bytes:
        """JSON counts of what came in and what became of it, by camera and rule kind."""

    def snapshot(self) -> bytes:
        """Everything that later answers depend on; the first byte is the version."""

    def restore(self, snapshot: bytes) -> None:
        """Go on from a snapshot of an engine with the same configuration.

        Raises:
            InvalidInputError: Another version or configuration.
            DataLossError: Not a whole snapshot.
        """

def asof(
    left_time: npt.NDArray[np.int64],
    left_key: npt.NDArray[np.uint32],
    right_time: npt.NDArray[np.int64],
    right_key: npt.NDArray[np.uint32],
    right_value: npt.NDArray[np.int64],
    known_time: npt.NDArray[np.int64],
    known_value: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The newest right row at or before each left row of its key; each side in event-time order.

    Args:
        left_time: (L,) int64, contiguous, as are all columns.
        left_key: (L,) uint32.
        right_time: (R,) int64.
        right_key: (R,) uint32.
        right_value: (R,) int64.
        known_time: (K,) int64, by key the time of the newest right row so far, the smallest integer for none;
            moved on in place.
        known_value: (K,) int64, its value; moved on in place.

    Returns:
        (L,) value and (L,) time of the right row; the smallest integer as time where there is none.

    Raises:
        InvalidInputError: Columns of different length, a key from K on, or a side out of order.
    """

def panes(
    time: npt.NDArray[np.int64],
    key: npt.NDArray[np.uint32],
    value: npt.NDArray[np.int64],
    width: int,
    keys: int,
) -> tuple[
    npt.NDArray[np.int64],
    npt.NDArray[np.uint32],
    npt.NDArray[np.int64],
    npt.NDArray[np.int64],
    npt.NDArray[np.int64],
    npt.NDArray[np.int64],
]:
    """Rows summed up by key within each run of rows of one pane.

    Args:
        time: (N,) int64, contiguous, as are all columns; quickest in event-time order.
        key: (N,) uint32, below ``keys``.
        value: (N,) int64.
        width: Of a pane, in units of ``time``; a pane's number is its start divided by it.
        keys: Size of the table of keys.

    Returns:
        pane, key, count, sum (wrapping), smallest and largest value; a pane and key may come twice.

    Raises:
        InvalidInputError: Columns of different length, a width below 1, or a key from ``keys`` on.
    """

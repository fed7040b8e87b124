"""The decision table of the law for a stop line, in plain Python: slow, offline, obvious.

Written from the domain text alone (Luật 36 Điều 11.4.b, the table RED / YELLOW / STOP_LINE with its note on
intervals, and what the interface says of grace, incursion and unknown lights), to be held against the engine.
It looks at a whole track at once and keeps no state.

Words: ``p`` is the distance past the stop line in metres in the lawful direction; a *frame* is
``(t_ns, p, doubtful)``; signals are ``(t_ns, state)`` in order of time, each state holding until the next.
"""

from __future__ import annotations

from dataclasses import dataclass

NS = 1_000_000_000


@dataclass(frozen=True)
class Law:
    grace_s: float = 0.3
    incursion_m: float = 3.0
    min_stop_s: float = 2.0
    rolls_s: float = 1.5  # who backs off the line rolls before and after standing: that much longer
    dead_band_m: float = 0.5
    lingers_s: float = 1.0  # longer than that on one side of the line, within the dead band, is standing there
    still_m: float = 0.5
    under_way_s: float = 0.5
    goes_on_s: float = 0.5  # who has stood past the line is further in for that long, or the box has jumped
    max_gap_s: float = 1.0
    wander_m: float = 2.0  # a box wanders by no more from where its vehicle, going on as it went …
    grip_mps2: float = 9.81  # … and changing that as tyres can, would be
    velocity_s: float = 0.5  # a velocity is that of so long
    way_m: float = 0.5  # a way is told by points so far apart
    min_hits: int = 3
    min_age_s: float = 0.3


def ns(seconds):
    return round(seconds * NS)


def state_at(signals, t):
    shown = [state for s, state in signals if s <= t]
    return shown[-1] if shown else "unknown"


def onset_at(signals, t):
    """When the state of instant ``t`` began; repeated lines of one state are heartbeats."""
    shown = [(s, state) for s, state in signals if s <= t]
    onset = shown[-1][0]
    for s, state in reversed(shown):
        if state != shown[-1][1]:
            break
        onset = s
    return onset


def meaning(signals, t, law):
    """What a crossing at exactly ``t`` would be."""
    state = state_at(signals, t)
    if state == "amber":
        return "yellow"
    return "red" if state == "red" and t >= onset_at(signals, t) + ns(law.grace_s) else "none"


def meanings(signals, a, b, law):
    """What a crossing somewhere in [a, b] could be: it changes only where a phase or its grace begins or ends."""
    edges = {edge for s, _ in signals for edge in (s, s + ns(law.grace_s))}
    return {meaning(signals, t, law) for t in {a, b} | {e for e in edges if a < e <= b}}


def red_throughout(signals, a, b):
    return all(state_at(signals, t) == "red" for t in {a, b} | {s for s, _ in signals if a < s <= b})


def first_past(frames, before, k, law):
    """The first frame past the line, after frame ``before`` clearly before it or a longer stand before it."""
    first, stands = None, before
    for n in range(before + 1, k + 1):
        p = frames[n][1]
        if p <= 0:
            stands = n if frames[n - 1][1] > 0 else stands
        elif frames[n - 1][1] <= 0 and (first is None or frames[n - 1][0] - frames[stands][0] > ns(law.lingers_s)):
            first = n
    return first


def passage(frames, law):
    """Frames (i, j, k): before the line at i, past it at j, clearly so at k.

    j = i + 1 with every later frame past it, too. Who stood on the line crossed it anywhere from the first frame past
    it, since he was before it for longer than ``lingers_s``, to the one clearly so, j = k.
    """
    clearly = last_before = None
    for k, (_, p, _) in enumerate(frames):
        if p < -law.dead_band_m:
            clearly, last_before = "before", k
        elif p > law.dead_band_m:
            if clearly == "before":
                first = first_past(frames, last_before, k, law)
                if frames[k][0] - frames[first][0] > ns(law.lingers_s):
                    return first - 1, k, k
                i = max(n for n in range(k) if frames[n][1] <= 0)
                return i, i + 1, k
            clearly = "past"
    return None


def standing_since(frames, n, law):
    """Since when the vehicle of frame ``n`` has stood: within ``still_m`` of where it came to a stand."""
    anchor = 0
    for m in range(n + 1):
        if abs(frames[m][1] - frames[anchor][1]) > law.still_m:
            anchor = m
    return frames[anchor][0]


def stood_at(frames, stop, end, crossed_ns, law):
    """How long the vehicle that stands past the line in frame ``stop`` stands there, seen before frame ``end``."""
    since = max(standing_since(frames, stop, law), crossed_ns)
    same = [n for n in range(stop, end) if max(standing_since(frames, n, law), crossed_ns) == since]
    return frames[same[-1]][0] - since


def leaps(frames, n, law):
    """Whether no vehicle that went as this one did until frame ``n - 1`` is in frame ``n`` where this one is."""
    way = []
    for t, p, _ in frames[:n]:
        if not way or abs(p - way[-1][1]) >= law.way_m:
            way.append((t, p))
    (t0, p0, _), (t1, p1, _) = frames[n - 1], frames[n]
    before = [(t, p) for t, p in way if t <= t0 - ns(law.velocity_s)]
    if not before or abs(p1 - p0) <= law.wander_m:
        return False
    t, p = before[-1]
    elapsed_s = (t1 - t0) / NS
    by_itself = (p0 - p) / ((t0 - t) / NS) * elapsed_s
    by_tyres = law.grip_mps2 * elapsed_s * (law.velocity_s + elapsed_s) / 2
    return abs(p1 - p0 - by_itself) > law.wander_m + by_tyres


def proves(frames, first, last, law):
    """Whether frames first..last show one vehicle without a hole."""
    steps = range(first, last)
    whole = all(frames[n + 1][0] - frames[n][0] <= ns(law.max_gap_s) for n in steps)
    leapt = any(leaps(frames, n, law) for n in range(max(first, 1), last + 1))
    return whole and not leapt and not any(doubtful for _, _, doubtful in frames[first : last + 1])


def judge(frames, signals, law=None):
    """``(kind, verdict)`` of one track at one stop line, or ``None`` when there is nothing to say."""
    law = law or Law()
    if len(frames) < law.min_hits or frames[-1][0] - frames[0][0] < ns(law.min_age_s):
        return None
    found = passage(frames, law)
    if found is None:
        return None
    i, j, k = found
    crossed_ns = frames[j][0]
    could_be = meanings(signals, frames[i][0], crossed_ns, law)

    def verdict(kind, sure, last):
        certain = could_be == {sure} and proves(frames, i, last, law)
        return kind, "suspected" if certain else "undecided"

    if "red" not in could_be:
        return verdict("yellow_light", "yellow", k) if "yellow" in could_be else None

    stop = left_ns = None
    end = len(frames) - 1
    for n in range(k, len(frames)):
        t, p, _ = frames[n]
        if t > crossed_ns and not red_throughout(signals, crossed_ns, t):
            # Whether it went on before the red ended lies between two frames.
            if p >= law.incursion_m and stop is None and red_throughout(signals, crossed_ns, frames[n - 1][0]):
                return "red_light", "undecided"
            end = n
            break
        left_ns = (t if left_ns is None else left_ns) if p >= law.incursion_m and stop is not None else None
        if p >= law.incursion_m and (stop is None or t - left_ns >= ns(law.goes_on_s)):
            return verdict("red_light", "red", n)
        if p < -law.dead_band_m:
            end = n
            if stop is not None and stood_at(frames, stop, n, crossed_ns, law) < ns(law.min_stop_s + law.rolls_s):
                stop = None
            break
        stood_ns = t - max(standing_since(frames, n, law), crossed_ns)
        if stop is None and stood_ns >= ns(law.min_stop_s):
            stop = n
    else:
        if stop is None and frames[-1][0] - standing_since(frames, end, law) < ns(law.under_way_s):
            return "red_light", "undecided"  # lost while it was going in
    if stop is not None:
        return verdict("stop_line", "red", stop)
    return verdict("yellow_light", "yellow", end) if "yellow" in could_be else None

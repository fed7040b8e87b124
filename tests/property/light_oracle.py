"""The decision table of the law for a stop line, in plain Python: slow, offline, obvious.

Written from the domain text alone (Luật 36 Điều 11.4.b, the table RED / YELLOW / STOP_LINE and its note on
intervals) before the engine, to be compared with it. It looks at a whole track at once and walks no state.

Words: ``p`` is the distance past the stop line in metres in the lawful direction; a *frame* is ``(t_ns, p, doubtful)``;
signals are ``(t_ns, state)`` in order of time, the state holding until the next.
"""

from __future__ import annotations

from dataclasses import dataclass

NS = 1_000_000_000


@dataclass(frozen=True)
class Law:
    grace_s: float = 0.3
    incursion_m: float = 3.0
    min_stop_s: float = 2.0
    dead_band_m: float = 0.5
    still_m: float = 0.5
    max_gap_s: float = 1.0
    min_hits: int = 3
    min_age_s: float = 0.3


def state_at(signals, t):
    shown = [(s, st) for s, st in signals if s <= t]
    return shown[-1][1] if shown else "unknown"


def onset_at(signals, t):
    """When the state of instant ``t`` began; repeated lines of one state are heartbeats."""
    shown = [(s, st) for s, st in signals if s <= t]
    if not shown:
        return None
    onset = shown[-1][0]
    for s, st in reversed(shown):
        if st != shown[-1][1]:
            break
        onset = s
    return onset


def meaning(signals, t, law):
    """What a crossing at exactly ``t`` would be: ``red``, ``yellow`` or ``none``."""
    state = state_at(signals, t)
    if state == "amber":
        return "yellow"
    if state == "red" and t >= onset_at(signals, t) + round(law.grace_s * NS):
        return "red"
    return "none"


def meanings(signals, a, b, law):
    """What a crossing somewhere in [a, b] could be."""
    instants = {a, b}
    for s, _ in signals:
        for edge in (s, s + round(law.grace_s * NS)):
            instants |= {t for t in (edge - 1, edge) if a <= t <= b}
    return {meaning(signals, t, law) for t in instants}


def passage(frames, law):
    """Indices (i, j, k): the line lies between frames i and j = i + 1, clearly passed at frame k; else ``None``."""
    clear_before = None
    for k, (_, p, _) in enumerate(frames):
        if p < -law.dead_band_m:
            clear_before = k
        elif p > law.dead_band_m and clear_before is not None:
            i = max(n for n in range(clear_before, k) if frames[n][1] <= 0)
            return i, i + 1, k
        elif p > law.dead_band_m:
            clear_before = None
    return None


def still_since(frames, start, end, law):
    """When the standstill that holds at frame ``end`` began: within ``still_m`` of where it first stood."""
    anchor = start
    for n in range(start, end + 1):
        if abs(frames[n][1] - frames[anchor][1]) > law.still_m:
            anchor = n
    return frames[anchor][0]


def doubt(frames, first, last, law):
    """Why the frames first..last prove nothing about one vehicle, or ``None``."""
    if any(frames[n + 1][0] - frames[n][0] > law.max_gap_s * NS for n in range(first, last)):
        return "gap"
    if any(d for _, _, d in frames[first : last + 1]):
        return "identity"
    return None


def judge(frames, signals, law=None):
    """``(kind, verdict)`` of one track at one stop line, or ``None`` when there is nothing to say."""
    law = law or Law()
    if len(frames) < law.min_hits or frames[-1][0] - frames[0][0] < law.min_age_s * NS:
        return None
    found = passage(frames, law)
    if found is None:
        return None
    i, j, k = found
    could_be = meanings(signals, frames[i][0], frames[j][0], law)

    def verdict(kind, last):
        sure = could_be == {{"stop_line": "red", "red_light": "red", "yellow_light": "yellow"}[kind]}
        return kind, "suspected" if sure and doubt(frames, i, last, law) is None else "undecided"

    if "red" in could_be:
        stop = None
        last_red = k - 1
        for n in range(j, len(frames)):
            t, p, _ = frames[n]
            all_red = all(state_at(signals, x) == "red" for x in (t, *(s for s, _ in signals if frames[j][0] < s <= t)))
            if p >= law.incursion_m and n >= k:
                if all_red:
                    return verdict("red_light", n)
                # the light left red between two frames and the vehicle got there between the same two
                was_red = n - 1 >= j and all(
                    state_at(signals, x) == "red"
                    for x in (frames[n - 1][0], *(s for s, _ in signals if frames[j][0] < s <= frames[n - 1][0]))
                )
                if (was_red or n == j) and stop is None:
                    return "red_light", "undecided"
                break
            if not all_red and n > j:
                break
            if p < -law.dead_band_m:
                break
            last_red = n
            if t - still_since(frames, j, n, law) >= law.min_stop_s * NS and stop is None and n >= k:
                stop = n
        else:
            if stop is None and still_since(frames, j, len(frames) - 1, law) > frames[-1][0] - round(0.5 * NS):
                return "red_light", "undecided"  # lost on its way in
        if stop is not None:
            return verdict("stop_line", stop)
        del last_red
    if "yellow" in could_be:
        return verdict("yellow_light", k)
    return None

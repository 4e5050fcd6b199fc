# The status in one line for people and as one object for programs. Loaded for a line, an upload
# or a word at the console, then dropped.
from echonet.dates import jst
from gateway import VERSION
from gateway.status import TOO_FAR
from micropython import const

_POOR = const(-80)  # dBm
_FAIR = const(-70)


def tenths(n):
    """`n` tenths as text, "-0.5" for -5."""
    return "%s%d.%d" % (("-" if n < 0 else "",) + divmod(abs(n), 10))


def rssi_class(rssi):
    """Class of a signal strength in dBm: good, fair, poor or too far. None: never measured."""
    if rssi is None:
        return None
    if rssi < TOO_FAR:
        return "too far"
    return "poor" if rssi < _POOR else "fair" if rssi < _FAIR else "good"


def snapshot(status):
    """The `status` object of the upload: small, and ready for JSON."""
    from gateway import track

    clock = status.clock
    word, code, detail = status.worst()
    age = None if status.rssi_ms is None else (clock.ms() - status.rssi_ms) // 1000
    return status.sourced(
        {
            "word": word,
            "code": code,
            "detail": detail,
            "fw": VERSION,
            "board": status.board.name,
            "uptime": clock.ms() // 1000,
            "rssi": status.rssi,
            "rssi_age": age,
            "module": status.module,
            "quality": track.quality(status),
            "events": track.packed(status),
            "counters": track.counters(status),
            "meter": status.meter,
            "reset": status.board.reset_cause(),
        }
    )


def line(status, full=False):
    """One line for people: time, state, newest values, radio, queue and readings sent.

    `full`: with the detail of what is wrong.
    """
    utc = status.clock.utc()
    word, code, detail = status.worst()
    words = ["--:--:--" if utc is None else "%02d:%02d:%02d" % jst(utc)[3:]]
    words.append("%s: %s" % (word, code) if word else code or status.phase)
    if full and detail:
        words.append("(%s)" % detail)
    r = status.last
    if r:
        words.append("%d W" % r.power)
        amperes = [tenths(i) for i in (r.current_r, r.current_t) if i is not None]
        if amperes:
            words.append("+".join(amperes) + " A")
    r = status.energy
    out = r and r.reverse
    if r and r.normal is not None:
        words.append(tenths(r.normal // 1000) + (" kWh in" if out else " kWh"))
    if out:
        words.append(tenths(out // 1000) + " kWh out")
    if status.rssi is not None:
        words.append("%d dBm %s" % (status.rssi, rssi_class(status.rssi)))
    s = status.sourced({})
    if "queue" in s:
        words.append("queue %d" % s["queue"])
    if s.get("flash"):
        words.append("flash: %s" % s["flash"])
    words.append("sent %d" % status.counters.get("uploaded", 0))
    return "  ".join(words)

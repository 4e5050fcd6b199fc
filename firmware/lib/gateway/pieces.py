# JSON in small pieces, for there may be no large one left of the memory; and the state as a line
# of it. Loaded for an upload or a JSON line of the console, then dropped.
import json

from gateway import drop


def pieces(value):
    """Yields the JSON text of `value`, a dict of dicts or of other values, bit by bit."""
    if isinstance(value, dict):
        lead = "{"
        for key, held in value.items():
            yield lead + json.dumps(key) + ":"
            if isinstance(held, dict):
                yield from pieces(held)
            else:
                yield json.dumps(held)
            lead = ","
        yield "{}" if lead == "{" else "}"
    else:
        yield json.dumps(value)


def line(status):
    """Yields the state as JSON text, for programs: the upload's status, and the newest values.

    "reading" has the newest power, "energy" the newest energies. Each is null or a row as in the
    upload, without its number: kind, t, quality, W, R, T, normal, reverse, origin.
    """
    from gateway import led

    name = led.name(status)
    del led
    drop("led")  # before more is loaded
    from gateway import summary

    s = summary.snapshot(status)
    del summary
    drop("summary", "track")
    s["phase"] = status.phase
    s["led"] = name
    s["time"] = status.clock.utc()
    s["reading"] = status.last and list(status.last)
    s["energy"] = status.energy and list(status.energy)
    return pieces(s)

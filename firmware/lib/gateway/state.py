# The state as a JSON line. Loaded for one, then dropped.
from gateway import drop
from gateway.pieces import pieces


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

# JSON in small pieces, for there may be no large one left of the memory. Loaded for an upload or a
# JSON line of the console, then dropped.
import json


def pieces(value):
    """Yields the JSON text of `value`, a dict of dicts or of other values, bit by bit."""
    if isinstance(value, dict):
        lead = "{"
        for key, held in value.items():
            yield lead + json.dumps(key) + ":"
            yield from pieces(held)
            lead = ","
        yield "{}" if lead == "{" else "}"
    else:
        yield json.dumps(value)

# The check that somebody asked for at the prompt: one run of the gateway. Loaded for that, with
# nothing else that the prompt needs, and dropped.
import json

import gateway
from gateway.supervisor import describe


def run(name):
    """Make this check and print the result as JSON."""
    try:
        result = gateway.start(name)
    except MemoryError as e:
        problem = describe(e) + ": gateway.reboot(), and type check %s while it runs" % name
        result = {"check": name, "ok": False, "problem": problem}
    print(json.dumps(result) if result else "Stopped before there was a result.")

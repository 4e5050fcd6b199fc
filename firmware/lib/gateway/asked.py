# The checks that somebody asked for at the prompt, one run of the gateway each. Loaded for that,
# with nothing else that the prompt needs, and dropped.
import json

import gateway
from gateway.supervisor import describe

_GOOD = {
    "network": "The network works.",
    "server": "The server lets this board in.",
    "radio": "The meter is joined.",
}


def run(names, words=False):
    """Check these and print the results, as JSON or in `words`. In words, what hangs on a check
    that failed is left out.
    """
    bad = []
    for name in names:
        if words:
            if name == "server" and bad:
                continue
            print("Checking the %s; up to two minutes. Ctrl-C ends it." % name)
        try:
            result = gateway.start(name)
        except MemoryError as e:
            result = {"check": name, "ok": False, "problem": describe(e)}
        if not result:
            print("Stopped before there was a result.")
            return
        if not words:
            print(json.dumps(result))
        elif result["ok"]:
            print("  " + _GOOD[name])
        else:
            bad.append(name)
            print("  It does not work: " + result["problem"])
            if "MemoryError" in result["problem"]:
                print("  There was no memory left. gateway.reboot(), then gateway.run()")
    if words:
        print("Start it: gateway.run()" if not bad else "Mend that, then gateway.setup() again.")

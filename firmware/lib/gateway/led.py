# What the lamp says, loaded when that may be something else. A pattern is (colour, times), as
# `board.led` takes it.
#
# times is () for a steady light, else on, off, on, off ... in ms, repeated. The rhythm alone tells
# the states apart, because many boards have one plain LED: two to five flashes can be counted, the
# rest differ in length and pace. No second holds more than three flashes (photosensitive people),
# no step is shorter than 100 ms (a timer is enough to play it). Colours are dim: a WS2812 at full
# power lights up a room. The meanings for people are in help.txt, which a test compares with this
# table.
PATTERNS = {
    "ok": ((0, 24, 0), ()),
    "too-far": ((32, 14, 0), (150, 200, 150, 900)),
    "meter": ((32, 14, 0), (150, 200, 150, 200, 150, 1200)),
    "network": ((0, 16, 24), (150, 200, 150, 200, 150, 200, 150, 1200)),
    "server": ((18, 18, 18), (150, 200, 150, 200, 150, 200, 150, 200, 150, 1200)),
    "config": ((28, 0, 24), (1000, 300, 150, 700)),
    "joining": ((0, 0, 40), (800, 800)),
    "fault": ((40, 0, 0), (180, 180)),
    "safe": ((28, 0, 24), (100, 2900)),
    "off": ((0, 0, 0), ()),
}


# What stops everything comes first, then the leftmost break on the way of a reading: off, safe,
# fault, config, too-far, joining, meter, network, server, ok. A weak signal is the likely cause
# while the radio or the meter fails; while readings arrive it is only a warning, shown when
# nothing else is wrong. A dead radio module is a fault, not a matter of joining.
def name(status):
    """The key of PATTERNS to show for a Status."""
    problems = status.problems
    radio = status.code("radio")
    if status.phase == "stopped":
        return "off"
    if status.phase == "safe":
        return "safe"
    if radio in ("module-silent", "no-module") or any(n > 1 for n in status.faults.values()):
        return "fault"
    if "config" in problems:
        return "config"
    failing = radio or status.phase != "running"
    if radio == "too-far" or status.far and (failing or "meter" in problems):
        return "too-far"
    if failing:
        return "joining"
    for word in ("meter", "network", "server"):
        if word in problems:
            return word
    return "too-far" if status.far else "ok"

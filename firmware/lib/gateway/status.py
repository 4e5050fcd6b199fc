# What is going on, in one place: told by every task, read by the LED, the console, the upload and
# the REPL.
from echonet.dates import jst
from gateway import VERSION, drop
from micropython import const

# The order is that of a reading's way; the first one that has a problem is the one to name.
WORDS = ("config", "radio", "meter", "network", "server")

_TOO_FAR = const(-88)  # dBm, the commercial service's guideline
_POOR = const(-80)
_FAIR = const(-70)
_DETAIL = const(120)  # characters kept of a detail: it travels in every upload
_LIVE = ("get", "inf", "D0")  # origins that tell of now; the others are history


def tenths(n):
    """`n` tenths as text, "-0.5" for -5."""
    return "%s%d.%d" % (("-" if n < 0 else "",) + divmod(abs(n), 10))


def rssi_class(rssi):
    """Class of a signal strength in dBm: good, fair, poor or too far. None: never measured."""
    if rssi is None:
        return None
    if rssi < _TOO_FAR:
        return "too far"
    return "poor" if rssi < _POOR else "fair" if rssi < _FAIR else "good"


class Status:
    """The state of the gateway. Nobody waits for it and it commands nobody.

    `on_change()`, when set, is called after each change by who made it; it must not wait.
    """

    def __init__(self, board, clock, log):
        self.board = board
        self.clock = clock
        self.log = log
        self.phase = "starting"
        self.problems = {}  # word: (code, detail)
        self.faults = {}  # task: deaths in a row
        self.counters = {}
        self.last = None  # the newest Reading with a power
        self.energy = None  # the newest Reading with an energy
        self.rssi = None  # dBm, and the ms at which it was measured
        self.rssi_ms = None
        self.module = None
        self.meter = {}
        self.on_change = None
        self._sources = {}
        self._led = None
        self._changed()

    def set_phase(self, phase):
        """`phase`: starting, joining, running, stopped or safe."""
        if phase != self.phase:
            self.phase = phase
            self.log.info("gateway: %s", phase)
            self._changed()

    def problem(self, word, code, detail=""):
        """What is wrong with `word`, until clear(): a code for programs, a detail for people."""
        detail = detail[:_DETAIL]
        if self.problems.get(word) != (code, detail):
            if self.code(word) != code:
                self.log.warn("%s: %s%s", word, code, detail and " (%s)" % detail)
            self.problems[word] = (code, detail)
            self._changed()

    def clear(self, word):
        if self.problems.pop(word, None):
            self.log.info("%s: all right again", word)
            self._changed()

    def code(self, word):
        return self.problems[word][0] if word in self.problems else None

    def detail(self, word):
        return self.problems[word][1] if word in self.problems else None

    def fault(self, task, deaths):
        """`task` died `deaths` times in a row; 0: it lives. One death is no fault yet, two are."""
        if deaths:
            self.faults[task] = deaths
        else:
            self.faults.pop(task, None)
        self._changed()

    def count(self, name, n=1):
        self.counters[name] = self.counters.get(name, 0) + n

    def event(self, name, value):
        """A link event of the radio module."""
        self.count("event." + name)

    def radio(self, rssi):
        """The signal strength of the last contact, in dBm."""
        if rssi is not None:
            self.rssi = rssi
            self.rssi_ms = self.clock.ms()
            self._light()

    def reading(self, r):
        """The newest values. Rows from the meter's history do not become the newest."""
        if r.origin in _LIVE:
            if r.power is not None:
                self.last = r
            if r.normal is not None or r.reverse is not None:
                self.energy = r
            self._changed()

    def attach(self, name, source):
        """`source()` gives a dict to merge into every snapshot; the same name replaces it."""
        self._sources[name] = source

    # -> (word, code, detail) of what to name first; (None, None, None) when all is well.
    def worst(self):
        for word in WORDS:
            if word in self.problems:
                return (word,) + self.problems[word]
        for task, deaths in self.faults.items():
            if deaths > 1:
                return None, "fault", "%s died %d times in a row" % (task, deaths)
        return None, None, None

    # What stops everything comes first, then the leftmost break on the way of a reading: off,
    # safe, fault, config, too-far, joining, meter, network, server, ok. A weak signal is the
    # likely cause while the radio or the meter fails; while readings arrive it is only a warning,
    # shown when nothing else is wrong. A dead radio module is a fault, not a matter of joining.
    def led_name(self):
        """The key of led.PATTERNS to show."""
        problems = self.problems
        radio = self.code("radio")
        if self.phase == "stopped":
            return "off"
        if self.phase == "safe":
            return "safe"
        if radio in ("module-silent", "no-module") or any(n > 1 for n in self.faults.values()):
            return "fault"
        if "config" in problems:
            return "config"
        far = self.rssi is not None and self.rssi < _TOO_FAR
        failing = radio or self.phase != "running"
        if radio == "too-far" or far and (failing or "meter" in problems):
            return "too-far"
        if failing:
            return "joining"
        for word in ("meter", "network", "server"):
            if word in problems:
                return word
        return "too-far" if far else "ok"

    def snapshot(self):
        """The `status` object of the upload: small, and ready for JSON."""
        clock = self.clock
        word, code, detail = self.worst()
        s = {
            "word": word,
            "code": code,
            "detail": detail,
            "fw": VERSION,
            "board": self.board.name,
            "uptime": clock.ms() // 1000,
            "rssi": self.rssi,
            "rssi_age": None if self.rssi_ms is None else (clock.ms() - self.rssi_ms) // 1000,
            "module": self.module,
            "counters": self.counters,
            "meter": self.meter,
            "reset": self.board.reset_cause(),
        }
        return self._sourced(s)

    def freeze(self):
        """The run is over: what the sources say now stays said, and they can go."""
        last = self._sourced({})
        self._sources = {"": lambda: last}
        self.on_change = None

    def _sourced(self, s):
        for source in self._sources.values():
            s.update(source())
        return s

    def line(self, full=False):
        """One line for people: time, state, newest values, radio, queue and readings sent.

        `full`: with the detail of what is wrong.
        """
        utc = self.clock.utc()
        word, code, detail = self.worst()
        words = ["--:--:--" if utc is None else "%02d:%02d:%02d" % jst(utc)[3:]]
        words.append("%s: %s" % (word, code) if word else code or self.phase)
        if full and detail:
            words.append("(%s)" % detail)
        r = self.last
        if r:
            words.append("%d W" % r.power)
            amperes = [tenths(i) for i in (r.current_r, r.current_t) if i is not None]
            if amperes:
                words.append("+".join(amperes) + " A")
        r = self.energy
        out = r and r.reverse
        if r and r.normal is not None:
            words.append(tenths(r.normal // 1000) + (" kWh in" if out else " kWh"))
        if out:
            words.append(tenths(out // 1000) + " kWh out")
        if self.rssi is not None:
            words.append("%d dBm %s" % (self.rssi, rssi_class(self.rssi)))
        s = self._sourced({})
        if "queue" in s:
            words.append("queue %d" % s["queue"])
        words.append("sent %d" % self.counters.get("uploaded", 0))
        return "  ".join(words)

    def _light(self):
        name = self.led_name()
        if name != self._led:
            from gateway.led import PATTERNS

            self._led = name
            self.board.led(PATTERNS[name])
            drop("led")

    def _changed(self):
        self._light()
        if self.on_change:
            self.on_change()

# What people read now and then: help, the long form of the status, and answers to mistakes.
# Loaded for the moment by gateway.words and gateway.repl, then dropped.
from echonet.dates import jst
from gateway import led, summary, track
from gateway.status import WORDS

_PROMPT = ("help", "show", "set", "status", "log", "check", "run", "walk", "reboot", "setup")


def section(name, say):
    """Pass the lines of one section of help.txt to `say`, without holding more than one."""
    folder = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
    wanted = False
    with open(folder + "/help.txt") as f:
        for line in f:
            line = line.rstrip()
            if line.startswith("["):
                wanted = line == "[%s]" % name
            elif wanted:
                say(line)


def wrapped(text, say, indent=""):
    """Pass a text to `say` in lines that fit on any terminal."""
    line = ""
    for word in text.split():
        if len(indent) + len(line) + len(word) > 78:
            say(indent + line)
            line = ""
        line += word + " "
    say(indent + line[:-1])


def nearest(word, words):
    """The one of `words` that was probably meant, or None."""
    best = None
    for w in words:
        if word and w.startswith(word):
            return w
    least = max(1, len(word) // 2) + 1
    for w in words:
        d = _distance(word, w)
        if d < least:
            best, least = w, d
    return best


# Letters to change, add, drop or swap to get from `a` to `b` (optimal string alignment).
def _distance(a, b):
    two = None
    one = list(range(len(b) + 1))
    for i in range(len(a)):
        row = [i + 1]
        for j in range(len(b)):
            d = min(one[j + 1] + 1, row[j] + 1, one[j] + (a[i] != b[j]))
            if two and j and a[i] == b[j - 1] and a[i - 1] == b[j]:
                d = min(d, two[j - 1] + 1)
            row.append(d)
        two, one = one, row
    return one[-1]


# -- at the Python prompt


def no_such(name):
    """What to say when somebody asks for gateway.<name>."""
    near = nearest(name, _PROMPT)
    if near:
        return "gateway.%s: did you mean gateway.%s()?" % (name, near)
    return "gateway.%s: there is no such function; gateway.help() shows them" % name


def usage(name):
    """Print how a function of the prompt is called."""
    print("Type it like this:")
    section("repl", lambda line: ("gateway.%s(" % name) in line and print(line))


# -- the long form of the status


def status(s, say):
    """Everything worth knowing of the Status `s`, line by line."""
    clock = s.clock
    utc = clock.utc()
    time = "not set" if utc is None else "%s, from %s" % (when(utc, "ntp"), clock.quality)
    say("state      %s; board up for %s" % (s.phase, span(clock.ms() // 1000)))
    say("clock      " + time)
    r = s.last
    if r:
        amperes = ["%s A" % summary.tenths(i) for i in (r.current_r, r.current_t) if i is not None]
        say("power      %d W  %s  at %s" % (r.power, " + ".join(amperes), _at(r, clock)))
    else:
        say("power      no reading yet")
    r = s.energy
    if r:
        say("energy     %s in, %s out  at %s" % (kwh(r.normal), kwh(r.reverse), _at(r, clock)))
    text = s.module or "no module found yet"
    if s.rssi is not None:
        age = (clock.ms() - s.rssi_ms) // 1000
        text += ", %d dBm (%s) %s ago" % (s.rssi, summary.rssi_class(s.rssi), span(age))
    say("radio      " + text)
    share = track.quality(s)
    if share:
        text = "of the last %d requests %d %% not acknowledged, %d %% not answered"
        say("link       " + text % ((s.tried,) + share))
    weakest = [n for n in track.day(s) if n is not None]
    if weakest:
        text = "%d to %d dBm in the last 24 hours" % (min(weakest), max(weakest))
        say("signal     " + text)
    if s.meter:
        row("meter", pairs(s.meter), say)
    for word in WORDS:
        if word in s.problems:
            code, detail = s.problems[word]
            row("problem", "%s: %s%s" % (word, code, ", " + detail if detail else ""), say)
    for task in sorted(s.faults):
        say("problem    the %s task died %d times in a row" % (task, s.faults[task]))
    if not s.problems and not s.faults:
        say("problem    none")
    name = led.name(s) + " "
    section("led", lambda line: line.startswith(name) and say("LED        " + line[10:].strip()))
    known = summary.snapshot(s)
    if known.get("repair"):
        n = known["repair"]["missing"]
        text = "%d half-hours missing" % n if n else "nothing missing"
        if known["repair"]["reading"]:
            text += ", reading " + known["repair"]["reading"]
        say("history    %s; the meter keeps %d days" % (text, known["repair"]["days"]))
    for key in ("queue", "net_rssi", "reset"):
        if known.get(key) is not None:
            say("%-10s %s" % (key, known[key]))
    told = track.counters(s)
    if told:
        row("counters", pairs(told), say)
    # Line by line, for all of them in one text would be a large piece of memory.
    name, line = "events", ""
    for t, event, value in track.events(s):
        ago = span((clock.ms() // 1000 - t) & 0xFFFFFF)
        one = "%s ago %s%s, " % (ago, event, " %d" % value if value else "")
        if len(line) + len(one) > 68:
            say("%-10s %s" % (name, line))
            name = line = ""
        line += one
    if line:
        say("%-10s %s" % (name, line[:-2]))


# A name, and beside it a text that may need several lines.
def row(name, text, say):
    first = [name]

    def line(text):
        say("%-10s %s" % (first.pop() if first else "", text))

    wrapped(text, line)


def pairs(d):
    return ", ".join(["%s %s" % (k, d[k]) for k in sorted(d) if d[k] is not None])


def kwh(n):
    """Energy in 0.1 Wh as kWh with all its digits; "?" when it was not measured."""
    return "?" if n is None else "%d.%04d kWh" % divmod(n, 10000)


def span(seconds):
    """A length of time: 45 s, 12 min, 5 h 07 min, 3 d 4 h."""
    if seconds < 60:
        return "%d s" % seconds
    minutes = seconds // 60
    if minutes < 60:
        return "%d min" % minutes
    hours = minutes // 60
    if hours < 48:
        return "%d h %02d min" % (hours, minutes % 60)
    return "%d d %d h" % (hours // 24, hours % 24)


# When a Reading was taken; it may have been before the clock was set.
def _at(r, clock):
    if r.quality is None and clock.quality:
        return when(clock.utc_at(r.t * 1000), clock.quality)
    return when(r.t, r.quality)


def when(t, quality):
    """A reading's time: JST, or seconds after the start while the clock was not set."""
    if quality is None:
        return "%d s after the start" % t
    return "%d-%02d-%02d %02d:%02d:%02d JST" % jst(t)

# The functions of `gateway` at the Python prompt. Loaded for one call, then dropped: see
# gateway/__init__. An ordinary mistake gets one line that says what to type instead, printed, so
# that it can be read in the friendly REPL and in a program's raw REPL alike. Programs that want
# exceptions use gateway.settings.
import json

import gateway
from gateway import secret, settings_check, view
from gateway.settings import SettingError, Settings
from gateway.settings_table import TABLE

_CHECKS = ("network", "server", "radio")


def call(name, args):
    """Do what gateway.<name>(*args) means; `args` None: they were of no use."""
    function, least, most = _WORDS[name]
    if args is None or not least <= len(args) <= most:
        view.usage(name)
        return None
    try:
        return function(*args)
    except SettingError as e:
        print(e)
    except OSError as e:
        print(
            "%s: the board's flash did not work (%s). Try again, or gateway.reboot()." % (name, e)
        )


def _help(topic=None):
    if topic is None:
        view.section("repl", print)
    elif topic == "led":
        view.section("led", print)
    else:
        settings_check.row(topic)
        view.wrapped("%s: %s" % (topic, settings_check.help_text(topic)), print)


# -- settings


def _show(prefix=""):
    settings = Settings(gateway.nvs())
    if prefix == "json":
        print(json.dumps(settings.export()))
        return
    if settings.damage:
        print(settings.damage)
    mine = settings.export(secrets=True)
    missing = settings.missing()
    rows = [row for row in TABLE if row[0].startswith(str(prefix))]
    if not rows:
        settings_check.row(prefix)  # says which key was probably meant
    for row in rows:
        key = row[0]
        note = "MISSING" if key in missing else ""
        if not note and key not in mine and row[1] is not None:
            note = "default"
        print("%-17s %-32s %s" % (key, _shown(settings, row), note))
        if prefix or note == "MISSING":
            view.wrapped(settings_check.help_text(key), print, "    ")
    if not prefix:
        print('gateway.show("poll") explains some, gateway.help("poll.interval") one.')
    _remarks(settings)


# What is still wrong with the settings as a whole.
def _remarks(settings):
    missing = settings.missing()
    if missing:
        view.wrapped("Missing: %s. For example:" % ", ".join(missing), print)
        print("    " + _example(missing[0]))
    for _, text in settings.problems():
        print(text)


def _example(key):
    if settings_check.row(key)[3]:
        return 'gateway.set("%s")    asks for it' % key
    return 'gateway.set("%s", "...")' % key


# A key and a value, or {key: value} of many; or only the key of a secret, which is then asked for.
def _set(key, *value):
    settings = Settings(gateway.nvs())
    if isinstance(key, dict):
        if not value:
            return _store(settings, key)
        key = None
    if not isinstance(key, str):
        view.usage("set")
        return None
    if value:
        return _store(settings, {key: value[0]})
    if not settings_check.row(key)[3]:
        print("%s is %r. To change it: %s" % (key, settings[key], _example(key)))
        return None
    try:
        typed = secret.ask("%s (nothing is shown while you type): " % key)
    except secret.Cancelled as e:
        print("%s: %s, nothing is changed." % (key, e))
        return None
    return _store(settings, {key: typed}, True)


def _store(settings, values, asked=False):
    old = settings.export(secrets=True)
    settings.load(values)
    given = [k for k in sorted(values) if settings_check.row(k)[3] and values[k] is not None]
    if given and not asked:
        before = {k: old.get(k) for k in values}
        now = {k: settings[k] for k in values}
        return secret.Told(gateway.nvs(), before, now, given[0])
    for k in sorted(values):
        print("%s = %s" % (k, _shown(settings, settings_check.row(k))))
    _remarks(settings)
    return None


def _shown(settings, row):
    value = settings[row[0]]
    if value is None:
        return "not set"
    return "set" if row[3] else str(value)


# -- the gateway


def _status(form=""):
    if form not in ("", "json"):
        view.usage("status")
    elif gateway._ran is None:
        if form:
            print('{"phase": "off"}')
        else:
            print("The gateway has not run since the start. gateway.run() starts it.")
            print("Why the board started: " + gateway.board().reset_cause())
            _remarks(Settings(gateway.nvs()))
    elif form:
        from gateway import pieces

        print("".join(pieces.line(gateway._ran[0])))
    else:
        view.status(gateway._ran[0], print)


def _log():
    if gateway._ran is None:
        print("Nothing is logged since the start. gateway.run() starts the gateway.")
    else:
        from gateway import ring

        for line in ring.lines(gateway._ran[1]):
            print(line)


def _check(what):
    if what not in _CHECKS:
        near = view.nearest(str(what), _CHECKS) or "radio"
        print('There is no check %s. Type gateway.check("%s")' % (what, near))
        return None
    return (what,)


def _setup():
    from gateway import wizard

    if wizard.run():
        print("The board restarts and checks it. Ctrl-C gives the prompt, at any time.")
        gateway.board().restart(gateway.TRIAL, True)


def _walk():
    from gateway.walker import walk

    try:
        walk(gateway.board())
    finally:
        gateway.tidy()


def _reboot():
    print("The board restarts.")
    gateway.board().reset()


# The functions of the prompt, with the least and the most of their arguments.
_WORDS = {
    "help": (_help, 0, 1),
    "show": (_show, 0, 1),
    "set": (_set, 1, 2),
    "status": (_status, 0, 1),
    "log": (_log, 0, 0),
    "check": (_check, 1, 1),
    "run": (None, 0, 0),  # without arguments it does not come here
    "walk": (_walk, 0, 0),
    "reboot": (_reboot, 0, 0),
    "setup": (_setup, 0, 0),
}

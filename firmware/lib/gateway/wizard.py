# gateway.setup(): asks for the settings one after the other. Loaded for that, and dropped.
import sys

import boards
import gateway
from gateway import secret, settings_check, view
from gateway.settings import SettingError, Settings

_FIRST = ("board.type", "wifi.ssid", "wifi.key", "net.mode")
_STATIC = ("net.ip", "net.mask", "net.gateway", "net.dns")
_LAST = ("broute.id", "broute.password", "server.url", "server.token")


def run():
    """Ask, check each answer and keep it at once. -> is it all to be checked now?"""
    settings = Settings(gateway.nvs())
    print("Enter alone keeps what stands in [ ]. Ctrl-C ends this; what was answered stays.")
    try:
        for key in _keys(settings):
            _ask(settings, key)
        problems = settings.problems()
        for _, text in problems:
            print(text)
        missing = settings.missing()
        if missing:
            print("Still missing: " + ", ".join(missing))
        if missing or problems:
            print("Nothing can be checked yet. gateway.setup() asks again.")
            return False
        answer = secret.ask("Check it all now? [yes] ", echo=sys.stdout.write, default="y")
        if answer[:1] in "yY":
            return True
        print("gateway.reboot() starts the gateway.")
    except secret.Cancelled as e:
        print("%s; what was answered before is kept." % e)
    return False


def _keys(settings):
    for key in _FIRST:
        if key[:4] != "wifi" or not settings_check.wired(settings["board.type"]):
            yield key
    if settings["net.mode"] == "static":
        for key in _STATIC:
            yield key
    for key in _LAST:
        yield key
    if settings["server.url"][:6] == "https:":
        yield "server.ca"


# Until the answer is a good one.
def _ask(settings, key):
    print("")
    view.wrapped(settings_check.help_text(key), print)
    choices = _choices(key)
    is_secret = settings_check.row(key)[3]
    old = settings[key]
    if is_secret:
        shown = "set" if old else "nothing"
    else:
        shown = "" if old is None else str(old)
    while True:
        prompt = "%s%s [%s]: " % (key, " (not shown)" if is_secret else "", shown)
        try:
            answer = secret.ask(prompt, echo=None if is_secret else sys.stdout.write, default="")
        except secret.Unfit as e:
            print("%s: %s. Once more, without Japanese input." % (key, e))
            continue
        if not answer:
            if old or key == "wifi.key":
                return
            print("%s: the gateway needs it." % key)
            continue
        if choices and answer.isdigit() and len(answer) < 3:
            if not 0 < int(answer) <= len(choices):
                print("There is no %s here: from 1 to %d, or the name." % (answer, len(choices)))
                continue
            answer = choices[int(answer) - 1]
        try:
            settings.set(key, answer)
        except SettingError as e:
            print(e)
            continue
        except OSError as e:
            print("%s: the board's flash did not take it (%s); once more?" % (key, e))
            continue
        return


# What can be picked by its number.
def _choices(key):
    out = []
    if key == "board.type":
        out = boards.load("names").NAMES
        for n, name in enumerate(out):
            print("  %2d  %s" % (n + 1, name))
    elif key == "wifi.ssid":
        try:
            for rssi, name in gateway.board().net.scan():
                out.append(name)
                print("  %2d  %s  %d dBm" % (len(out), name, rssi))
        except (OSError, RuntimeError) as e:
            print("The networks in sight cannot be listed: %s" % e)
    return out

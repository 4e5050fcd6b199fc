# The half of Settings that is needed only to change settings, or to ask what is wrong with them.
# Loaded for that, and dropped.
import json

from gateway.settings import LIMIT, SettingError
from gateway.settings_check import row, to_int, value, wired
from gateway.settings_table import TABLE
from gateway.twins import Twins

# In these functions `settings` is a Settings, whose methods they are.


def set(settings, key, value):
    """Check, normalise and keep a value. SettingError tells what to type instead."""
    load(settings, {key: value})


def unset(settings, key):
    """Back to the default."""
    load(settings, {key: None})


def load(settings, values):
    """Set many at once: all of them, or none when one is wrong. None unsets.

    Keys that are not named keep their value, so an export without secrets can be loaded.
    """
    own = dict(settings.own)
    for key in values:
        if values[key] is None:
            row(key)
            own.pop(key, None)
        else:
            own[key] = value(key, values[key])
    save(settings, own)


def save(settings, own):
    """Keep the dict `own` as what is set, unchecked. OSError when the flash did not take it."""
    payload = json.dumps(own).encode()
    if len(payload) > LIMIT:
        raise SettingError("settings: %d bytes in all, room for %d" % (len(payload), LIMIT))
    if own != settings.own or settings.damage:
        twins = Twins(settings.nvs, "settings", LIMIT)
        twins.load()
        twins.save(payload)
        settings.read()


def export(settings, secrets=False):
    """{key: value} of what is set; secrets only when asked for."""
    own = settings.own
    return {r[0]: own[r[0]] for r in TABLE if r[0] in own and (secrets or not r[3])}


def missing(settings):
    """Keys without which the gateway cannot do its work and which are not set."""
    need = ["broute.id", "broute.password", "server.url", "server.token"]
    if not wired(settings["board.type"]):
        need.append("wifi.ssid")
    if settings["net.mode"] == "static":
        need += ("net.ip", "net.mask", "net.gateway", "net.dns")
    if str(settings["server.url"])[:6] == "https:":
        need.append("server.ca")
    return [key for key in need if not settings[key]]


def problems(settings):
    """[(key, text)] of values that do not fit each other or, after an update, their check."""
    out = []
    for r in TABLE:
        if r[0] in settings.own:
            try:
                value(r[0], settings.own[r[0]])
            except SettingError as e:
                out.append((r[0], str(e)))
    if not out and settings["net.mode"] == "static":
        _static(settings, out)
    url = str(settings["server.url"])
    if url[:6] == "https:" and settings["server.client"] == "requests":
        out.append(("server.client", "server.client: requests checks no certificate; take auto"))
    return out


# -- static addresses against each other


def _static(settings, out):
    names = ("net.ip", "net.mask", "net.gateway", "net.dns")
    ip, mask, gateway, dns = [to_int(settings[name] or "") for name in names]
    for name in names:
        if not settings[name]:
            out.append((name, "%s: missing; net.mode static needs it" % name))
    if mask is None:
        return
    for name, n in (("net.ip", ip), ("net.gateway", gateway)):
        what = None
        if n is not None and n & ~mask == 0:
            what = "the address of the network itself"
        elif n is not None and n | mask == 0xFFFFFFFF:
            what = "the network's broadcast address"
        if what:
            out.append((name, "%s: %s is %s" % (name, settings[name], what)))
    if ip is None:
        return
    if gateway is not None and (gateway ^ ip) & mask:
        out.append(
            (
                "net.gateway",
                "net.gateway: %s is outside the network of net.ip %s with net.mask %s"
                % (settings["net.gateway"], settings["net.ip"], settings["net.mask"]),
            )
        )
    if gateway == ip:
        out.append(("net.gateway", "net.gateway: the same as net.ip; give the router's address"))
    if dns == ip:
        out.append(("net.dns", "net.dns: the same as net.ip; the router's address usually works"))

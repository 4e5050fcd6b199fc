# Every setting, once. Loaded to read and to change settings, and dropped again; what a key means
# to people is in settings_help.txt.

import json

from gateway.settings import LIMIT

# (key, default, check, secret). The check is (least, most) for a number, a longer tuple of the
# numbers allowed, a tuple of the words allowed, or the name of a function in settings_check. None
# as default: not set.
TABLE = (
    ("broute.id", None, "route_id", True),
    ("broute.password", None, "route_password", True),
    ("radio.module", "auto", ("auto", "bp35a1", "bp35c2", "rl7023", "j11"), False),
    ("radio.baud", None, (115200, 57600, 38400, 19200, 9600, 4800, 2400), False),  # None: as found
    ("wifi.ssid", None, "ssid", False),
    ("wifi.key", None, "wifi_key", True),
    ("wifi2.ssid", None, "ssid", False),
    ("wifi2.key", None, "wifi_key", True),
    ("wifi3.ssid", None, "ssid", False),
    ("wifi3.key", None, "wifi_key", True),
    ("wifi.country", "JP", "country", False),
    ("net.mode", "dhcp", ("dhcp", "static"), False),
    ("net.ip", None, "address", False),
    ("net.mask", None, "mask", False),
    ("net.gateway", None, "address", False),
    ("net.dns", None, "address", False),
    ("net.hostname", None, "hostname", False),  # None: kenshin- and the end of the board's number
    ("server.url", None, "url", False),
    ("server.token", None, "token", True),
    ("server.ca", None, "file", False),
    ("server.client", "auto", ("auto", "requests", "asyncio"), False),
    ("server.interval", 60, (10, 3600), False),
    ("outbox.window", 60, (0, 3600), False),
    ("poll.interval", 30, (10, 3600), False),
    ("poll.energy", 300, (30, 86400), False),
    ("poll.timeout", 10, (8, 20), False),
    ("time.ntp", "ntp.nict.jp", "host", False),
    ("board.type", "generic", "board", False),
)


def read(nvs):
    """What is in flash. -> (what the owner set, all that is in force: {key: value}, the keys that
    are secret, what was damaged or None)"""
    from gateway.twins import Twins

    twins = Twins(nvs, "settings", LIMIT)
    payload = twins.load()
    # Keys of another version of the firmware are kept, so that going back loses nothing.
    own = {} if payload is None else json.loads(payload)
    whole = {}
    hidden = []
    for key, default, _, secret in TABLE:
        whole[key] = own.get(key, default)
        if secret:
            hidden.append(key)
    return own, whole, hidden, twins.damage

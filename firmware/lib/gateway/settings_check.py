# What a setting may be, and what to say when it may not. Imported when a setting is changed or
# asked about, and dropped again: none of it is needed while the gateway runs.
import boards
from gateway.settings import SettingError
from gateway.settings_table import TABLE

_HEX = "0123456789ABCDEF"
_ALNUM = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class _Wrong(ValueError):
    pass


def row(key):
    """The row of the table. SettingError names the nearest key when there is no such one."""
    for r in TABLE:
        if r[0] == key:
            return r
    near = _nearest(str(key))
    hint = "; did you mean %s?" % near if near else ". gateway.show() lists them"
    raise SettingError("%s: there is no such setting%s" % (key, hint))


def value(key, given):
    """The value in its normal form, or SettingError."""
    _, _, check, secret = row(key)
    try:
        if isinstance(check, str):
            if not isinstance(given, str):
                raise _Wrong("give it as text, in quotes")
            return _CHECKS[check](given.strip())
        if isinstance(check[0], int):
            return _number(given, check)
        return _word(given, check)
    except _Wrong as e:
        shown = "" if secret else " %r" % (given,)
        if shown and isinstance(given, str):  # which MicroPython's %r would show as \\uff33
            shown = " '%s'" % "".join([c if c >= " " and c != "\x7f" else "?" for c in given])
        raise SettingError("%s:%s %s" % (key, shown, e))


def wired(board_type):
    """Has that board Ethernet in place of Wi-Fi?"""
    return board_type in boards.load("names").WIRED


def help_text(key):
    """What the setting means, in plain words: one line of settings_help.txt."""
    folder = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
    with open(folder + "/settings_help.txt") as f:
        for line in f:
            name, _, text = line.partition("\t")
            if name == key:
                return text.strip()
    return ""


# -- the checks: given text without blanks at the ends, they return the normal form or raise _Wrong


def _number(given, check):
    if len(check) == 2:
        need = "a whole number from %d to %d" % check
    else:
        need = "one of: " + ", ".join([str(n) for n in check])
    if isinstance(given, str) and given.strip().isdigit():
        given = int(given)
    if not isinstance(given, int) or isinstance(given, bool):
        raise _Wrong("is not a number; give " + need)
    if not check[0] <= given <= check[1] if len(check) == 2 else given not in check:
        raise _Wrong("is not possible; give " + need)
    return given


def _word(given, words):
    word = given.strip().lower() if isinstance(given, str) else given
    if word in words:
        return word
    raise _Wrong("is not possible; give one of: " + ", ".join(words))


# As printed in the utility's letter: 32 characters, often in groups of four.
def _route_id(text):
    text = _bare(text)
    _only(text, _HEX, "the digits 0-9 and the letters A-F")
    _long(text, 32, 32)
    return text


def _route_password(text):
    text = _bare(text)
    _only(text, _ALNUM, "letters A-Z and digits")
    _long(text, 12, 12)
    return text


def _ssid(text):
    _long(text.encode(), 1, 32, "bytes")
    return text


def _wifi_key(text):
    n = len(text)
    if any(not " " <= c <= "~" for c in text):
        raise _Wrong("has a character that is not ASCII, a full-width one perhaps; type it anew")
    if n == 64:
        _only(text.upper(), _HEX, "64 hexadecimal digits when it is that long")
    elif not 8 <= n <= 63:
        raise _Wrong("has %d characters; WPA2 keys have 8 to 63" % n)
    return text


def _country(text):
    text = text.upper()
    if len(text) != 2 or any(not "A" <= c <= "Z" for c in text):
        raise _Wrong("is not a country; give its two letters, such as JP")
    return text


def _token(text):
    _long(text, 8, 200)
    if any(not "!" <= c <= "~" for c in text):
        raise _Wrong("contains a blank or a character outside ASCII; copy the token once more")
    return text


def _board(text):
    return _word(text, boards.load("names").NAMES)


def _hostname(text):
    text = text.lower()
    _long(text, 1, 32)
    _only(text, _ALNUM.lower() + "-", "letters, digits and hyphens")
    if text[0] == "-" or text[-1] == "-":
        raise _Wrong("begins or ends with a hyphen; take it away")
    return text


def host(text):
    text = text.lower()
    _long(text, 1, 100)
    if all(c in "0123456789." for c in text):
        return _dotted(text)[0]
    _only(text, _ALNUM.lower() + "-.", "letters, digits, hyphens and dots")
    if "" in text.split("."):
        raise _Wrong("has an empty part between its dots; write it like ntp.nict.jp")
    return text


def url(text):
    scheme, _, rest = text.partition("://")
    scheme = scheme.lower()
    if scheme not in ("http", "https"):
        raise _Wrong("is not a server address; write it like http://192.168.1.10:8000")
    _long(text, 8, 200)
    if any(not "!" <= c <= "~" or c in '?#@"<>\\' for c in text):
        raise _Wrong('contains a blank or one of ? # @ " < > \\; leave it out')
    where, slash, path = rest.rstrip("/").partition("/")
    name, colon, port = where.partition(":")
    if colon and not (port.isdigit() and 1 <= int(port) <= 65535):
        raise _Wrong("has a wrong port; after the colon comes a number from 1 to 65535")
    return scheme + "://" + host(name) + colon + port + slash + path


def _file(text):
    _long(text, 1, 60)
    if any(not "!" <= c <= "~" for c in text):
        raise _Wrong("contains a blank or a character outside ASCII; rename the file")
    return text


def _dotted(text):
    n = to_int(text)
    if n is None:
        raise _Wrong("is not an IPv4 address; write it like 192.168.1.10")
    return text, n


def _address(text):
    first = _dotted(text)[1] >> 24
    if first == 0 or first == 127 or first >= 224:
        raise _Wrong("cannot be the address of a machine in your network")
    return text


def mask(text):
    n = to_int(text)
    if n is None:
        raise _Wrong("is not a network mask; write it like 255.255.255.0")
    holes = ~n & 0xFFFFFFFF
    if holes & (holes + 1):
        raise _Wrong("is not a network mask: its one bits must come first, as in 255.255.255.0")
    if holes < 3 or n < 0xFF000000:
        raise _Wrong("leaves no sensible network; a home has 255.255.255.0")
    return text


def to_int(text):
    """An IPv4 address as a number, or None when it is not one: four decimal parts of 0 to 255."""
    parts = text.split(".")
    n = 0
    for part in parts:
        if not part.isdigit() or int(part) > 255 or (len(part) > 1 and part[0] == "0"):
            return None
        n = n << 8 | int(part)
    return n if len(parts) == 4 else None


# -- small things


# Blanks and hyphens are how people group long numbers.
def _bare(text):
    return text.replace(" ", "").replace("-", "").upper()


def _long(text, least, most, what="characters"):
    n = len(text)
    if not least <= n <= most:
        need = str(least) if least == most else "%d to %d" % (least, most)
        raise _Wrong("has %d %s; it must have %s" % (n, what, need))


def _only(text, allowed, words):
    for i, c in enumerate(text):
        if c not in allowed:
            raise _Wrong("has a wrong character at place %d; it has only %s" % (i + 1, words))


# The key most like a mistyped one: the most pairs of neighbouring letters in common.
def _nearest(key):
    pairs = [key[i : i + 2] for i in range(len(key) - 1)]
    best = None
    most = len(pairs) // 3
    for r in TABLE:
        same = sum(1 for p in pairs if p in r[0]) - abs(len(r[0]) - len(key)) // 3
        if same > most:
            best, most = r[0], same
    return best


_CHECKS = {
    "route_id": _route_id,
    "route_password": _route_password,
    "ssid": _ssid,
    "wifi_key": _wifi_key,
    "country": _country,
    "board": _board,
    "token": _token,
    "hostname": _hostname,
    "host": host,
    "url": url,
    "address": _address,
    "mask": mask,
    "file": _file,
}

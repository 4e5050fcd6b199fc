# `os` without what only a PC has.
from collections import namedtuple as _namedtuple
from os import *
from sys import implementation as _implementation
from sys import version as _version

for _name in ("VfsPosix", "errno", "getenv", "putenv", "system", "unsetenv", "sep"):
    globals().pop(_name, None)

_uname = _namedtuple("uname_result", ("sysname", "nodename", "release", "version", "machine"))


def uname():
    release = "%d.%d.%d" % _implementation.version[:3]
    version = "v%s on %s" % (release, _version.split(" on ")[-1])
    return _uname("esp32", "esp32", release, version, "Generic ESP32 module with ESP32")


def sync():
    pass


def dupterm(stream, index=0):
    return None

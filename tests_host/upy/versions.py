"""Runs on one release of MicroPython (see versions.mjs): loads all that lies on a board, then runs
shared tests.

/board is the build's lib, /lib and /shared what the shared tests run on. Tests that need an event
loop are left out: in WebAssembly it belongs to JavaScript.
"""

import os
import sys

# Modules of a board that this port has not, and that are only used when something is done.
ABSENT = ("esp32", "machine", "network", "neopixel", "requests", "socket", "ssl", "tls")
# Shared tests without an event loop; a slow one shows nothing more about a release.
TESTS = ("echonet/", "wisun/test_sk_parser", "wisun/test_j11_state")
SLOW = "echonet/test_fuzz"


class _Absent:
    def __getattr__(self, name):
        return _Absent()


class _Os:
    urandom = bytes  # this port's `os` has none

    def __getattr__(self, name):
        return getattr(os, name)


def _stand_in():
    if not hasattr(os, "urandom"):
        sys.modules["os"] = _Os()  # type: ignore
    for name in ABSENT:
        try:
            __import__(name)
        except ImportError:
            sys.modules[name] = _Absent()  # type: ignore


def _files(folder):
    for name in sorted(os.listdir(folder)):
        path = folder + "/" + name
        if os.stat(path)[0] & 0x4000:
            yield from _files(path)
        elif name.endswith(".mpy"):
            yield path[:-4]


def _forget():
    for name in list(sys.modules):
        if name.split(".")[0] in ("boards", "echonet", "gateway", "wisun"):
            del sys.modules[name]


def _load():
    count = 0
    for path in _files("/board"):
        name = path[len("/board/") :].replace("/", ".")
        name = name[: -len(".__init__")] if name.endswith(".__init__") else name
        __import__(name)
        if name not in sys.modules:
            raise ImportError(name)
        count += 1
    return count


def _run(path):
    folder, name = path.rsplit("/", 1)
    sys.path.insert(0, folder)
    module = __import__(name)
    count = 0
    for test in sorted(dir(module)):
        if test.startswith("test_"):
            try:
                getattr(module, test)()
            except Exception as error:
                print("FAIL", name, test)
                sys.print_exception(error)  # type: ignore
                raise
            count += 1
    del sys.modules[name], sys.path[0]
    return count


def _main():
    _stand_in()
    sys.path.insert(0, "/board")
    loaded = _load()
    _forget()
    sys.path[0] = "/lib"
    sys.path.insert(1, "/shared")
    passed = 0
    for path in _files("/shared"):
        name = path[len("/shared/") :]
        if "/test_" in path and name != SLOW and any(map(name.startswith, TESTS)):
            passed += _run(path)
    print("MicroPython %d.%d" % sys.implementation.version[:2])
    print("%d loaded, %d passed" % (loaded, passed))


_main()

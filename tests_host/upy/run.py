"""Runs one shared test file on MicroPython: every function named test_*, each with plain asserts.

    micropython tests_host/upy/run.py FILE [--lib DIR] [--helpers DIR] [NAME ...]

FILE may be source or bytecode (.py, .mpy). --lib names the folder with the packages under test,
firmware/lib unless given. With NAMEs only these functions run. The last line counts; the exit code
is 1 when anything failed or the file holds no test.
"""

import gc
import sys


def _dirname(path):
    return path.rsplit("/", 1)[0] if "/" in path else "."


def _option(words, name, default):
    if name not in words:
        return default
    at = words.index(name)
    value = words[at + 1]
    del words[at : at + 2]
    return value


def _names(module, wanted):
    names = sorted(name for name in dir(module) if name.startswith("test_"))
    for name in wanted:
        if name not in names:
            raise SystemExit("no test of the name " + name)
    return [name for name in wanted or names if callable(getattr(module, name))]


def _run(function, name, skip):
    try:
        function()
    except skip as why:
        print("skip", name, why)
        return 1
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        print("FAIL", name)
        sys.print_exception(error, sys.stdout)  # type: ignore
        return 2
    print("ok", name)
    return 0


def main(words):
    here = _dirname(words[0])
    top = here + "/../.."
    words = words[1:]
    lib = _option(words, "--lib", top + "/firmware/lib")
    helpers = _option(words, "--helpers", top + "/tests_host/firmware")
    path = words[0]
    # The packages under test come first: any folder of the right name is a package here.
    sys.path[:] = [lib, helpers, _dirname(path), ".frozen"]
    from helpers import Skip

    module = __import__(path.rsplit("/", 1)[-1].rsplit(".", 1)[0])
    names = _names(module, words[1:])
    counts = [0, 0, 0]
    for name in names:
        gc.collect()
        counts[_run(getattr(module, name), name, Skip)] += 1
    print("%d passed, %d failed, %d skipped" % (counts[0], counts[2], counts[1]))
    return 1 if counts[2] or not names else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))

"""What the shared tests need, on CPython and on MicroPython alike."""

import asyncio
import binascii

try:
    import unittest

    Skip = unittest.SkipTest
except ImportError:
    Skip = type("Skip", (Exception,), {})


# Compiled without asserts, every test would pass.
def _asserts_are_kept():
    try:
        assert not __name__
    except AssertionError:
        return True


if not _asserts_are_kept():
    raise RuntimeError("the tests were compiled without asserts")


# Raised by a test that cannot run here; it is counted and named, never hidden.
def skip(why):
    raise Skip(why)


# Calls the function and returns the exception; fails when none, or another, comes.
def raises(expected, function, *args, **kwargs):
    try:
        result = function(*args, **kwargs)
    except expected as error:
        return error
    raise AssertionError("no %s; it returned %r" % (expected, result))


# Runs a coroutine to its end on an event loop of its own, in real time.
def run(coroutine):
    if hasattr(asyncio, "Runner"):
        return asyncio.run(coroutine)
    asyncio.new_event_loop()
    try:
        return asyncio.run(coroutine)
    finally:
        asyncio.new_event_loop()


# "10 81 00 01" -> b"\x10\x81\x00\x01"; spaces and line ends may stand anywhere.
def hex_(text):
    return binascii.unhexlify("".join(text.split()))

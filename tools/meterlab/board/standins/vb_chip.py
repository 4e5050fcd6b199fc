# The chip under the stand-ins: libc, the registers shared with the PC side, interrupts, and the
# bus to the PC.
#
# What runs inside _hard() runs in a signal handler, like a hard interrupt: it must not allocate,
# and MicroPython's heap is locked meanwhile. Everything else happens in _soft(), which the VM
# runs between two bytecodes.
import os
import struct
import sys

import ffi
import uctypes
import vb_regs as r

import micropython

_PR_SET_PDEATHSIG = 1
_SIGINT = 2
_SIGKILL = 9
_SIGUSR1 = 10
_SIGALRM = 14
_SIG_IGN = 1
_PROT_READ_WRITE = 3
_MAP_SHARED = 1
_CLOCK_MONOTONIC = 1
_REPLY_MAX = 65536

_REGISTERS_FD, _BUS_FD = (int(x) for x in os.getenv("VIRTUAL_BOARD").split(","))

WORD = 8 if sys.maxsize > 1 << 32 else 4

libc = ffi.open(None)
memset = libc.func("P", "memset", "Pil")
malloc = libc.func("P", "malloc", "L")
free = libc.func("v", "free", "P")
poll_ = libc.func("i", "poll", "pii")
ioctl = libc.func("i", "ioctl", "ilp")
fcntl = libc.func("i", "fcntl", "iil")
open_ = libc.func("i", "open", "si")
close = libc.func("i", "close", "i")
dup = libc.func("i", "dup", "i")
dup2 = libc.func("i", "dup2", "ii")
read = libc.func("l", "read", "ipL")
write = libc.func("l", "write", "iPL")
socketpair = libc.func("i", "socketpair", "iiip")
getpid = libc.func("i", "getpid", "")
_mmap = libc.func("L", "mmap", "Liiiil")
_memmem = libc.func("L", "memmem", "LLPL")
_send = libc.func("l", "send", "iPLi")
_recv = libc.func("l", "recv", "ipLi")
_kill = libc.func("i", "kill", "ii")
_signal = libc.func("L", "signal", "iC")
_sigaction = libc.func("i", "sigaction", "iPP")
_setitimer = libc.func("i", "setitimer", "iPP")
_clock_gettime = libc.func("i", "clock_gettime", "ip")
_prctl = libc.func("i", "prctl", "iLLLL")


# Words of `count` machine words at `address`; reading and writing small numbers allocates nothing.
def words(address, count, kind=None):
    if kind is None:
        kind = uctypes.INT64 if WORD == 8 else uctypes.INT32
    return uctypes.struct(address, {"w": (uctypes.ARRAY | 0, kind | count)}).w


_base = _mmap(0, r.SIZE, _PROT_READ_WRITE, _MAP_SHARED, _REGISTERS_FD, 0)
R = words(_base, r.WORDS, uctypes.INT32)
B = uctypes.bytearray_at(_base, r.SIZE)

# ---- time

_now = bytearray(2 * WORD)
_NOW = words(uctypes.addressof(_now), 2)


# Monotonic time as (seconds, nanoseconds), in NOW[0] and NOW[1].
def clock():
    _clock_gettime(_CLOCK_MONOTONIC, _now)
    return _NOW


# An interrupt just before the VM begins to wait in a system call does not break that off. So each
# is repeated until it was heard.
_AGAIN_US = 10_000

_timer = bytearray(4 * WORD)
_TIMER = words(uctypes.addressof(_timer), 4)
_soon = bytearray(4 * WORD)
_words = words(uctypes.addressof(_soon), 4)
_words[1] = _words[3] = _AGAIN_US


# An interrupt after `ms` milliseconds; 0 for none.
def alarm(ms):
    _TIMER[1] = _AGAIN_US if ms else 0
    _TIMER[2] = ms // 1000
    _TIMER[3] = ms % 1000 * 1000
    _setitimer(0, _timer, None)


# What listens may have to be called at some time, too: it puts a function here that calls alarm().
def rearm():
    alarm(0)


# ---- interrupts

# Each is called between two bytecodes after every interrupt, and finds out itself whether it was
# meant.
listeners = []

_queued = False
_seen = R[r.KBD_SEQ]
_held = 0
_late = _again = False
_used = False
_found = False
_thread = [0] * 8  # the words of the VM's thread state, when they were found
_mark = b"\0\0\0\0"  # the pending exception in them, as bytes
_interrupt = KeyboardInterrupt()
_before = None
_address = id(_interrupt)
_PENDING = 4  # locals, globals, nlr_top, nlr_jump_callback_top, pending exception


# The VM looks for a pending exception whenever it jumps, in here as well: so the mark is taken
# away before the first jump and put back after the last. It is looked at in bytes, because a
# pointer may be too large for a number without memory.
def _hard(_):
    global _queued, _seen, _late, _used
    a = _mark[0]
    b = _mark[1]
    c = _mark[2]
    d = _mark[3]
    _thread[_PENDING] = 0
    now = a or b or c or d
    # While _soft() waits for its turn or runs, it hands an interrupt on when it is done: raised in
    # a callback, KeyboardInterrupt would be printed there and forgotten.
    free = not _held and not _queued
    if not _queued:
        try:
            micropython.schedule(_soft, None)
            _queued = True
        except RuntimeError:
            pass  # the firmware has filled the queue
    _setitimer(0, _soon, None)
    if R[r.KBD_SEQ] != _seen:
        _seen = R[r.KBD_SEQ]
        if R[r.KBD_CHAR] == 3 and _found:
            if free:
                now = _used = True
            else:
                _late = True
    if now:
        _thread[_PENDING] = _address


def _soft(_):
    global _queued, _again, _used, _interrupt, _before, _address, _held, _late
    if _held:
        _queued = False
        _again = True
        return
    _held = 1
    _queued = False
    if _used and not _thread[_PENDING]:  # each KeyboardInterrupt has a traceback of its own
        _before = _interrupt
        _interrupt = KeyboardInterrupt()
        _used = False
        _address = id(_interrupt)
    for listener in listeners:
        listener()
    rearm()
    if _late:
        _setitimer(0, _soon, None)
        _late = False
        _used = True
        _thread[_PENDING] = _address  # from here on no jump
        _held = 0
        return
    _held = 0


# Between hold() and release() nothing comes in between: what is one C function on the board stays
# whole.
def hold():
    global _held
    _held += 1


def release():
    global _held, _late, _again, _used
    _held -= 1
    if _held or not (_late or _again):
        return
    _setitimer(0, _soon, None)
    _again = False
    if _late:
        _late = False
        _used = True
        _thread[_PENDING] = _address


_callback = ffi.callback("v", _hard, "i", lock=True)


# The unix port can only raise KeyboardInterrupt right out of the signal handler, wherever the VM
# may be: in the middle of a garbage collection, too. A board marks the exception as pending
# instead and the VM raises it between two bytecodes. So we find the place of that mark (two
# pointers to this module's globals stand before it), and try it.
def _find_pending(here):
    global _thread, _mark, _found, _used
    anchor = id(sys.modules)
    pattern = bytearray(2 * WORD)
    two = words(uctypes.addressof(pattern), 2)
    two[0] = two[1] = here
    with open("/proc/self/maps") as maps:
        for line in maps:
            low, high = (int(x, 16) for x in line.split(" ", 1)[0].split("-"))
            if low <= anchor < high:
                break
    place = _memmem(low, high - low, pattern, len(pattern))
    if not place or _memmem(place + WORD, high - place - WORD, pattern, len(pattern)):
        return
    found = words(place, 8)
    if found[_PENDING]:
        return
    try:
        found[_PENDING] = _address
        micropython.schedule(id, None)
        for _ in range(100):
            pass
    except KeyboardInterrupt as e:
        if e is _interrupt:
            _thread = found
            _mark = words(place + _PENDING * WORD, 4, uctypes.UINT8)
            _found = True
            _used = True
            return
    found[_PENDING] = 0


if not os.getenv("VIRTUAL_BOARD_SIGINT"):
    _find_pending(id(globals()))


# What a stream's ioctl() answers to MP_STREAM_POLL: which of `events` the descriptor is ready for.
def ready(fd, events):
    pollfd = struct.pack("ihh", fd, events, 0)
    poll_(pollfd, 1, 0)
    return pollfd[6] | pollfd[7] << 8


# From here on the PC may interrupt.
def start():
    _prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if _found:
        _signal(_SIGINT, _SIG_IGN)
    else:
        R[r.KBD_SIGINT] = 1
    # struct sigaction: the handler, a mask of 128 bytes, flags. Neither comes within the other,
    # and both break off a system call.
    _signal(_SIGUSR1, _callback)
    action = bytearray(256)
    words(uctypes.addressof(action), 1)[0] = _signal(_SIGUSR1, _callback)
    action[WORD] = action[WORD + 1] = 0xFF
    for sig in (_SIGUSR1, _SIGALRM):
        _sigaction(sig, action, None)
    R[r.KBD_CHAR] = -1
    R[r.READY] = 1


# ---- the bus
#
# One packet is one message. An event is a letter and its bytes; a request adds a number and is
# answered.

_sequence = 0
_reply_at = malloc(_REPLY_MAX)
reply = uctypes.bytearray_at(_reply_at, _REPLY_MAX)


def _tell(data, n):
    while _send(_BUS_FD, data, n, 0) < 0:
        pass  # a signal came in between; when the PC side is gone SIGPIPE ends us


# Event `letter` with up to three small numbers. Packed afresh each time: an interrupt may tell
# one in between.
def event(letter, a=0, b=0, c=0):
    _tell(struct.pack("<Biii", ord(letter), a, b, c), 13)


# Event with bytes.
def event_bytes(letter, data):
    _tell(letter.encode() + data, 1 + len(data))


# Ask the PC side. -> (status, length); the answer's bytes are reply[8 : 8 + length]. Status is 0
# or an errno-like number.
def request(letter, *fields):
    global _sequence
    hold()
    try:
        _sequence = (_sequence + 1) & 0xFFFF
        parts = [b"Q%02x%02x" % (_sequence >> 8, _sequence & 0xFF), letter.encode()]
        for field in fields:
            if isinstance(field, str):
                field = field.encode()
            parts.append(b"%06x" % len(field))
            parts.append(bytes(field))
        data = b"".join(parts)
        _tell(data, len(data))
        while True:
            n = _recv(_BUS_FD, reply, _REPLY_MAX, 0)
            if n == 0:
                stop(_SIGKILL)
            if n >= 8 and reply[0] | reply[1] << 8 == _sequence:
                status = reply[4] | reply[5] << 8
                return (status - 0x10000 if status & 0x8000 else status), n - 8
    finally:
        release()


# The answer's bytes as str.
def text(length):
    return bytes(memoryview(reply)[8 : 8 + length]).decode()


# The process ends here; the PC side knows why from what was told before.
def stop(sig=_SIGKILL):
    while True:
        _kill(getpid(), sig)

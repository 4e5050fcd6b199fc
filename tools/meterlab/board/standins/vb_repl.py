# The two REPLs of a board: friendly for people, raw (with raw paste) for programs.
import io
import sys

import vb_chip as chip
import vb_line
import vb_regs as r
from vb_stdio import getch, put_bytes, stdout

_WINDOW = 128
_put = stdout.write


# Leaves the interpreter's own frames of this REPL out of a traceback.
class _Filter(io.IOBase):
    def __init__(self):
        self._line = b""

    def write(self, data):
        self._line += data
        while b"\n" in self._line:
            line, self._line = self._line.split(b"\n", 1)
            if not line.startswith(b'  File "vb_') and not line.startswith(b'  File "<string>"'):
                _put(line.decode() + "\n")
        return len(data)


def show(e):
    out = _Filter()
    sys.print_exception(e, out)
    if out._line:
        _put(out._line.decode())


# Run `work(*args)` as the board runs code: Ctrl-C interrupts it. -> None, or the exception.
def guarded(work, *args):
    try:
        chip.R[r.KBD_CHAR] = 3
        work(*args)
        chip.R[r.KBD_CHAR] = -1
        for _ in (0, 0):
            pass  # an interrupt that was on its way comes here
    except BaseException as e:
        chip.R[r.KBD_CHAR] = -1
        return e


def _compile_and_run(source, kind, space):
    if not isinstance(source, str):
        source = bytes(source).decode()
    exec(compile(source, "<stdin>", kind), space)


# A file of the flash, if it is there. -> "ok", "error", or "exit" after SystemExit.
def run_file(name, space):
    try:
        with open(name):
            pass
    except OSError:
        return "ok"
    e = guarded(execfile, name, space)  # noqa: F821 - MicroPython's own
    if e is None:
        return "ok"
    if isinstance(e, SystemExit):
        return "exit"
    show(e)
    return "error"


# -> "raw", "friendly", or "exit": what comes next.
def friendly(space):
    _banner()
    while True:
        key, line = vb_line.readline(">>> ")
        kind = "single"
        if key == vb_line.CTRL_A:
            _put("\n")
            return "raw"
        if key == vb_line.CTRL_B:
            _put("\n")
            _banner()
            continue
        if key == vb_line.CTRL_C:
            _put("\n")
            continue
        if key == vb_line.CTRL_D:
            _put("\n")
            return "exit"
        if key == vb_line.CTRL_E:
            source = _paste()
            kind = "exec"
        else:
            source = _more(line)
        if not source:
            continue
        e = guarded(_compile_and_run, source, kind, space)
        if e is not None:
            if isinstance(e, SystemExit):
                return "exit"
            show(e)
        e = source = line = None


def _banner():
    v = sys.implementation.version
    date = sys.version.split(" on ")[-1]
    _put(
        "MicroPython v%d.%d.%d on %s; Virtual board with ESP32 stand-ins\n"
        % (v[0], v[1], v[2], date)
    )
    _put('Type "help()" for more information.\n')


# The lines that belong to the first one; None when they were given up.
def _more(line):
    source = line.decode()
    while source and vb_line.unfinished(source):
        key, line = vb_line.readline("... ", line)
        if key == vb_line.CTRL_C:
            _put("\n")
            return None
        if key == vb_line.CTRL_D:
            _put("\n")
            break
        source += "\n" + (line.decode() if line.strip() else "")
    return source


def _paste():
    _put("\npaste mode; Ctrl-C to cancel, Ctrl-D to finish\n=== ")
    source = bytearray()
    while True:
        c = getch()
        if c == vb_line.CTRL_C:
            _put("\n")
            return None
        if c == vb_line.CTRL_D:
            _put("\n")
            return bytes(source).decode()
        if c == 13:
            source.append(10)
            _put("\n=== ")
        else:
            source.append(c)
            _put(chr(c))


# -> "friendly" or "exit".
def raw(space):
    while True:
        _put("raw REPL; CTRL-B to exit\n>")
        line = bytearray()
        while True:
            c = getch()
            if c == vb_line.CTRL_A:
                if len(line) == 2 and line[0] == vb_line.CTRL_E:
                    if line[1] != 65:
                        _put("R\0")
                    elif _raw_paste(space):
                        return "exit"
                    line = bytearray()
                    _put(">")
                    continue
                break
            if c == vb_line.CTRL_B:
                _put("\n")
                return "friendly"
            if c == vb_line.CTRL_C:
                line = bytearray()
            elif c == vb_line.CTRL_D:
                _put("OK")
                if not line:
                    _put("\n")
                    return "exit"
                source, line = bytes(line), bytearray()
                if _raw_run(source, space):
                    return "exit"
                source = None
                _put(">")
            else:
                line.append(c)


# -> whether the code wants a soft reset.
def _raw_run(source, space):
    e = guarded(_compile_and_run, source, "exec", space)
    _put("\x04")
    leave = isinstance(e, SystemExit)
    if e is not None and not leave:
        show(e)
    _put("\x04")
    return leave


# Source with flow control: the host may send a window more for each "\x01".
def _raw_paste(space):
    put_bytes(b"R\x01\x80\x00\x01")
    source = bytearray()
    left = _WINDOW
    while True:
        c = getch()
        if c == vb_line.CTRL_D:
            _put("\x04")
            source = bytes(source)
            return _raw_run(source, space)
        if c == vb_line.CTRL_C:
            _put("\x04\x04")
            show(KeyboardInterrupt())
            _put("\x04")
            return False
        source.append(c)
        left -= 1
        if not left:
            left = _WINDOW
            _put("\x01")


# Until the next soft reset. -> whether the raw REPL was left for it.
def serve(mode, space):
    while True:
        after = raw(space) if mode == "raw" else friendly(space)
        if after == "exit":
            return mode == "raw"
        mode = after

# The line editor of the friendly REPL: echo, backspace, arrows, history, automatic indent.
from vb_stdio import getch, stdout

CTRL_A = 1
CTRL_B = 2
CTRL_C = 3
CTRL_D = 4
CTRL_E = 5
_CTRL_K = 11
_CTRL_U = 21
_HISTORY = 8
_INDENT = 4

_history = []
_put = stdout.write


# -> (key, bytes): key is the control character that ended the line, "\r" for Enter. `before` is
# the line above.
def readline(prompt, before=None, controls=True):
    _put(prompt)
    line = bytearray()
    at = 0
    back = 0
    if before is not None:
        indent = _indent_after(before)
        line.extend(b" " * indent)
        at = indent
        _put(" " * indent)
    while True:
        c = getch()
        if c == 13 or c == 10:
            _put("\n")
            if line and (not _history or _history[0] != line):
                _history.insert(0, bytes(line))
                del _history[_HISTORY:]
            return 13, bytes(line)
        if c == CTRL_C or (c in (CTRL_A, CTRL_B, CTRL_D, CTRL_E) and controls and not line):
            return c, b""
        if c == 8 or c == 127:
            n = 1
            if at and not line[:at].strip():
                n = (at - 1) % _INDENT + 1
            n = min(n, at)
            if n:
                line[at - n : at] = b""
                at -= n
                _put("\b" * n)
                _rest(line, at, n)
        elif c == 27:
            move = _escape()
            if move == "A" or move == "B":
                back = min(max(back + (1 if move == "A" else -1), 0), len(_history))
                _put("\b" * at + " " * len(line) + "\b" * len(line))
                line = bytearray(_history[back - 1] if back else b"")
                at = len(line)
                _put(line.decode())
            elif move == "C" and at < len(line):
                _put(chr(line[at]))
                at += 1
            elif move == "D" and at:
                _put("\b")
                at -= 1
            elif move == "H":
                _put("\b" * at)
                at = 0
            elif move == "F":
                _put(line[at:].decode())
                at = len(line)
            elif move == "3" and at < len(line):
                line[at : at + 1] = b""
                _rest(line, at, 1)
        elif c == CTRL_A:
            _put("\b" * at)
            at = 0
        elif c == CTRL_E:
            _put(line[at:].decode())
            at = len(line)
        elif c == _CTRL_K:
            n = len(line) - at
            line[at:] = b""
            _rest(line, at, n)
        elif c == _CTRL_U:
            n = at
            line[:at] = b""
            _put("\b" * n)
            at = 0
            _rest(line, 0, n)
        elif c >= 32:
            one = bytearray((c,))
            for _ in range(3 if c >= 0xF0 else 2 if c >= 0xE0 else 1 if c >= 0xC0 else 0):
                one.append(getch())
            line[at:at] = one
            at += len(one)
            _put(one.decode())
            _rest(line, at, 0)


# Show again what stands behind the cursor, and wipe `gone` places after it.
def _rest(line, at, gone):
    rest = line[at:].decode()
    if rest or gone:
        _put(rest + " " * gone + "\b" * (len(rest) + gone))


# The letter of an arrow key or its like.
def _escape():
    c = getch()
    if c not in b"[O":
        return ""
    c = chr(getch())
    if c in "1345678":
        getch()
        return {"1": "H", "7": "H", "4": "F", "8": "F"}.get(c, c)
    return c


def _indent_after(line):
    line = line.decode()
    n = len(line) - len(line.lstrip(" "))
    if line.rstrip().endswith(":"):
        n += _INDENT
    return n if line.strip() else 0


_COMPOUND = ("if", "while", "for", "try", "with", "def", "class", "async")


# Whether more lines have to follow: an open bracket or quote, a trailing backslash, a block not
# ended by an empty line.
def unfinished(source):
    depth = 0
    quote = ""
    i = 0
    while i < len(source):
        c = source[i]
        if quote:
            if c == "\\":
                i += 1
            elif source[i : i + len(quote)] == quote:
                i += len(quote) - 1
                quote = ""
        elif c in "\"'":
            quote = source[i : i + 3] if source[i : i + 3] == c * 3 else c
            i += len(quote) - 1
        elif c == "#":
            while i + 1 < len(source) and source[i + 1] != "\n":
                i += 1
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        i += 1
    if len(quote) == 3 or (depth > 0 and not quote) or (source.endswith("\\") and not quote):
        return True
    first = source.split("\n", 1)[0]
    compound = first.startswith("@")
    for word in _COMPOUND:
        if first.startswith(word) and not (
            first[len(word) :][:1].isalpha() or first[len(word) :][:1] == "_"
        ):
            compound = True
    return compound and not source.endswith("\n")


# `input()`: the line editor without the REPL's control keys.
def ask(prompt=""):
    key, line = readline(str(prompt), None, False)
    if key == CTRL_C:
        raise KeyboardInterrupt
    return line.decode()

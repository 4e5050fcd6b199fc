# Why the board started, the last times: one line of text in the flash's NVS area, for the status.
# Loaded for a look at it, and dropped.
from micropython import const

_MOST = const(200)  # bytes; older starts fall off at the end
_CAUSE = const(80)


def read(nvs):
    """The newest first, "13 watchdog; 12 power-on": the number of the boot, and its cause."""
    return "".join([chr(c) for c in nvs.get("resets") or b"" if 32 <= c < 127])


def note(board, boot):
    """Add this start, number `boot`. OSError when the flash does not take it."""
    cause = "".join([c if " " <= c <= "~" and c != ";" else "?" for c in board.reset_cause()])
    text = "%d %s" % (boot, cause[:_CAUSE])
    for one in read(board.nvs).split("; "):
        if not one or len(text) + 2 + len(one) > _MOST:
            break
        text += "; " + one
    board.nvs.set("resets", text.encode())
    board.nvs.commit()

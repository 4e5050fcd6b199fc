"""What of the board's files stays in its memory, and how large that may be.

A module is resident unless `LAZY` says why it is not.
"""

from __future__ import annotations

from dataclasses import dataclass

KB = 1024

# Bytes of bytecode that may stay in memory, per package and in all.
BUDGETS = {"echonet": 6 * KB, "wisun": 10 * KB, "gateway": 21 * KB, "boards": 3 * KB}
RESIDENT_BUDGET = 36 * KB

# What is in memory together, beside all that stays; never two of these. And how much that may be
# with what stays: the figure that decides whether 100 KB of heap suffice.
AT_ONCE: dict[str, tuple[str, ...]] = {
    "talking to the meter": (
        ("echonet/frame", "echonet/meter", "echonet/planner", "echonet/maps")
        + ("gateway/exchange", "gateway/learn", "gateway/live", "gateway/meter")
    ),
    "joining": ("gateway/ladder", "gateway/link", "wisun/sk_setup"),
    "uploading": (
        ("gateway/backlog", "gateway/batch", "gateway/https", "gateway/pieces")
        + ("gateway/segments", "gateway/upload")
    ),
    "mending": (
        "echonet/history",
        "echonet/meter",
        "gateway/repair_map",
        "gateway/repair_take",
    ),
}
AT_ONCE_BUDGET = 44 * KB
TALK = "loaded to talk with the meter; where memory is scarce, for each poll"
# Of one module, whether it stays or comes and goes: what is loaded needs half as much again, and
# beside all that stays there is not much more.
MODULE_BUDGET = 4_500

# Modules that are imported when needed and dropped, or of which a board needs only one.
# They do not count as resident; say why beside each.
LAZY: dict[str, str] = {
    **dict.fromkeys(AT_ONCE["talking to the meter"], TALK),
    "echonet/encode": "for what stands in for a meter; a reader of one never loads it",
    "echonet/history": "loaded for the repair of a gap, then dropped",
    "echonet/node": "loaded for a request from others, which a meter does not send",
    "echonet/values": "loaded for one call of a person, then dropped",
    **dict.fromkeys(
        ("boards/atoms3", "boards/atoms3lite", "boards/atoms3r", "boards/generic")
        + ("boards/m5stack", "boards/stickc", "boards/stickcplus2", "boards/sticks3")
        + ("boards/lan", "boards/names"),
        "loaded to make the board, then dropped",
    ),
    "boards/led_backlight": "instead of a WS2812; a board loads one kind of LED",
    "boards/led_plain": "instead of a WS2812; a board loads one kind of LED",
    "boards/rare": "loaded for one call, then dropped",
    "gateway/backlog": "loaded for one upload when readings lie on flash, then dropped",
    "gateway/blame": "loaded for one sentence, then dropped",
    "gateway/asked": "loaded for a check that somebody asked for at the prompt",
    "gateway/batch": "loaded for one upload, then dropped",
    "gateway/checks": "loaded for one check, then dropped",
    "gateway/connect": "loaded when the network is joined, kicked or blamed, then dropped",
    "gateway/dating": "loaded when the time becomes known, then dropped",
    "gateway/http": "loaded for one upload, then dropped",
    "gateway/led": "loaded when the LED may have to show something else, then dropped",
    "gateway/learn": "loaded for the start of a session, then dropped",
    "gateway/link": "loaded for one attempt to join, then dropped",
    "gateway/https": "loaded for one upload, instead of gateway/http, then dropped",
    "gateway/inscribe": "loaded when readings go to flash, then dropped",
    "gateway/judge": "loaded when a source tells the time, then dropped",
    "gateway/ladder": "loaded for one attempt to join, then dropped",
    "gateway/ledger": "see gateway/inscribe",
    "gateway/line": "loaded when somebody types at the console",
    "gateway/names": "loaded for one upload or question to a time server, then dropped",
    "gateway/ntp": "loaded for one question to a time server, then dropped",
    "gateway/opening": "loaded once, at the start",
    "gateway/parts": "loaded to put the gateway together, then dropped",
    "gateway/pieces": "loaded for an upload or a JSON line of the console, then dropped",
    "gateway/reach": "loaded for one check of the network, then dropped",
    "gateway/rebuild": "loaded when the outbox's index is damaged, then dropped",
    "gateway/repair_map": "loaded for one call a day or so, then dropped",
    "gateway/repair_plan": "loaded for one question to the meter's history, then dropped",
    "gateway/repair_take": "loaded for one answer of the meter's history, then dropped",
    "gateway/repl": "loaded for one call at the Python prompt",
    "gateway/pace": "loaded for the answer to one upload, then dropped",
    "gateway/resets": "loaded for a start and for the status, then dropped",
    "gateway/reply": "loaded for the answer to one upload, then dropped",
    "gateway/ring": "loaded when somebody reads the log, then dropped",
    "gateway/safe": "loaded for the decision at the start, then dropped",
    "gateway/secret": "loaded for one call at the Python prompt",
    "gateway/segments": "see gateway/backlog",
    "gateway/settings_check": "loaded when settings are changed or checked, then dropped",
    "gateway/settings_edit": "loaded when settings are changed or checked, then dropped",
    "gateway/settings_table": "loaded when settings are read, changed or checked, then dropped",
    "gateway/settle": "loaded for the answer to one upload, then dropped",
    "gateway/shrink": "loaded when flash is full, then dropped",
    "gateway/spill": "loaded when readings go to flash, then dropped",
    "gateway/summary": "loaded for a line, an upload or a word at the console, then dropped",
    "gateway/thin": "loaded when the outbox is full, then dropped",
    "gateway/track": "loaded for an upload or a word at the console, then dropped",
    "gateway/trial": "loaded for the checks after gateway.setup(), then dropped",
    "gateway/tuner": "loaded until it is known which radio module there is, then dropped",
    "gateway/twins": "loaded when flash is read or written, then dropped",
    "gateway/upload": "loaded for one upload, then dropped",
    "gateway/view": "loaded for one word at the console or the prompt",
    "gateway/waiting": "loaded to find the holes in the half-hours, then dropped",
    "gateway/walker": "loaded for one call at the Python prompt",
    "gateway/wizard": "loaded for gateway.setup(), then dropped",
    "gateway/words": "loaded for one word at the console",
    "wisun/j11": "instead of the SKSTACK driver; a board loads one",
    "wisun/j11_frame": "see wisun/j11",
    "wisun/j11_port": "see wisun/j11",
    "wisun/j11_setup": "loaded for what comes around a session, then dropped",
    "wisun/j11_state": "see wisun/j11",
    "wisun/probe": "loaded until it is known which radio module there is, then dropped",
    "wisun/sk_setup": "loaded for what comes before a session, then dropped",
}

# Of those, the ones that stay where they are the ones that a board needs.
INSTEAD = {"boards.led_backlight", "boards.led_plain", "wisun.j11", "wisun.j11_frame"} | {
    "wisun.j11_port",
    "wisun.j11_state",
}


@dataclass(frozen=True)
class Built:
    """One file of the board: its path under lib/ and its size in bytes."""

    path: str
    size: int

    @property
    def package(self) -> str:
        return self.path.split("/", 1)[0]

    @property
    def module(self) -> str:
        return self.path.removesuffix(".mpy")


def _lazy(built: Built) -> bool:
    return built.module in LAZY or not built.path.endswith(".mpy")


def resident(built: list[Built]) -> int:
    """Bytes of bytecode that stay in a board's memory."""
    return sum(one.size for one in built if not _lazy(one))


def at_once(built: list[Built]) -> dict[str, int]:
    """Bytes of bytecode that are in memory together: {what is done: how many}."""
    sizes = {one.module: one.size for one in built}
    return {
        what: resident(built) + sum(sizes.get(module, 0) for module in modules)
        for what, modules in AT_ONCE.items()
    }


def too_large(built: list[Built]) -> list[Built]:
    """The modules over the budget of one."""
    return [one for one in built if one.path.endswith(".mpy") and one.size > MODULE_BUDGET]


def report(built: list[Built]) -> list[str]:
    """The sizes as lines of text: each module, each package with its budget, and the total."""
    lines: list[str] = []
    for package in sorted({one.package for one in built} | BUDGETS.keys()):
        files = [one for one in built if one.package == package]
        for one in files:
            note = LAZY.get(one.module, "not code" if not one.path.endswith(".mpy") else "")
            lines.append(
                f"  {one.path:32} {one.size:7,}" + (f"  not resident: {note}" if note else "")
            )
        size, budget = resident(files), BUDGETS.get(package)
        words = f"{package:34} {size:7,}"
        if budget is not None:
            words += f" of {budget:6,}" + ("  OVER" if size > budget else "")
        lines.append(words)
    total = resident(built)
    over = "  OVER" if total > RESIDENT_BUDGET else ""
    lines.append(f"{'resident in all':34} {total:7,} of {RESIDENT_BUDGET:6,}{over}")
    for what, size in at_once(built).items():
        over = "  OVER" if size > AT_ONCE_BUDGET else ""
        lines.append(f"{'and when ' + what:34} {size:7,} of {AT_ONCE_BUDGET:6,}{over}")
    return lines

"""Whose clock is wrong, a board's or ours, when a reading seems to come from the future.

Readings have numbers in the order in which they were taken. When one that was taken later has a
time that fits ours, the board's clock was wrong then and is right now: such a reading is rejected.
Otherwise ours may be behind, as that of a small computer without a battery is after its start, and
to reject would throw good readings away for ever: the board is asked to keep them.
"""

from kenshin.server import wire

# Nobody's clock is believed to be right beyond this: 2100-01-01.
_T_MAX = 4_102_444_800


class Clocks:
    """Remembers of each gateway the newest reading whose time fitted."""

    def __init__(self) -> None:
        self._fitting: dict[int, tuple[int, int]] = {}  # gateway: stream, number

    def ahead(self, gateway_id: int, batch: wire.Batch, now: int) -> int | None:
        """The newest time in a batch of which nothing says that the board is wrong, or None."""
        latest = now + wire.T_AHEAD
        stream, fits = self._fitting.get(gateway_id, (batch.stream, -1))
        if stream != batch.stream:
            fits = -1
        before = fits
        future: list[tuple[int, int]] = []
        for seq, row in batch.readings():
            if not batch.typed and (len(row) < 4 or type(row[2]) is not int):
                continue
            if row[2] > latest:
                # A board whose time is the server's own gets the right one with the answer.
                if row[3] in ("ntp", "meter") and row[2] < _T_MAX:
                    future.append((seq, row[2]))
            elif seq > fits and row[1] == "instant" and row[3] != "server":
                fits = seq  # only instants are sent with the time at which they are taken
        if fits > before:
            self._fitting[gateway_id] = (batch.stream, fits)
        return max((t for seq, t in future if seq > fits), default=None)

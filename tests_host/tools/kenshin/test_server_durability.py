"""kill -9 in the middle of ingest: what was acknowledged is there, and nothing is doubled."""

import random
import threading
import time

import httpx2
import pytest

LIMIT = 60.0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_was_acknowledged_survives_kill_9(start, new_board, instant, slot, seed):
    chance = random.Random(seed)
    server = start()
    board = new_board(server)
    begin = int(time.time()) // 1800 * 1800
    batches = [
        [
            *[instant(n, t=begin - n, power=n) for n in range(k, k + 9)],
            slot(k + 9, t=begin - 180 * k, normal=k),
        ]
        for k in range(0, 4000, 10)
    ]
    acked: set[int] = set()
    sent = -1
    enough = threading.Event()
    target = chance.randrange(5, 60)

    def upload() -> None:
        nonlocal sent
        for sent, rows in enumerate(batches):
            try:
                answer = board.upload(*rows)
            except httpx2.TransportError:
                return
            for first, last in answer["ack"]:
                acked.update(range(first, last + 1))
            if sent == target:
                enough.set()

    thread = threading.Thread(target=upload)
    thread.start()
    assert enough.wait(LIMIT)
    time.sleep(chance.random() / 50)  # die anywhere within an upload
    server.process.kill()
    thread.join(LIMIT)
    assert not thread.is_alive()
    server.kill()
    assert len(acked) > 10 * target

    board.client = start().client
    sent_numbers = {row[0] for rows in batches[: sent + 1] for row in rows}
    (stream,) = board.detail()["streams"]
    received = {n for a, b in stream["received"] for n in range(a, b + 1)}
    assert acked <= received <= sent_numbers
    by_number = {row[0]: row for rows in batches for row in rows}

    def expected(numbers: set[int]) -> set[tuple[object, ...]]:
        return {(r[1], r[2], r[4], r[7]) for r in (by_number[n] for n in numbers)}

    def stored() -> list[tuple[object, ...]]:
        return [(r["kind"], r["t"], r["power"], r["normal"]) for r in board.readings()]

    found = stored()
    assert set(found) == expected(received)
    assert len(found) == len(received)

    # The board sends all that it does not know to be safe, again: now all is there, once.
    for rows in batches[: sent + 1]:
        board.upload(*[row for row in rows if row[0] not in acked])
    found = stored()
    assert set(found) == expected(sent_numbers)
    assert len(found) == len(sent_numbers)
    detail = board.detail()
    assert (detail["stored"], detail["conflicts"]) == (len(sent_numbers), 0)

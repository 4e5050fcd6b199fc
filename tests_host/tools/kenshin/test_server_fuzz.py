"""Requests made from the OpenAPI document, right and wrong ones: never a 500, and nothing lost.

On SQLite and on PostgreSQL; `--fuzz N` asks N of each, at most 100,000.
"""

import asyncio
import base64
import json
import logging
import sys

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from sqlalchemy import event

from kenshin.server import keys, settings

# In every run, 2,000 in all; `make fuzz` asks for more, of which a request, slower than a parser,
# takes these.
FEW = {"sqlite": 1_500, "postgresql": 500}
MANY = 100_000
T0 = 1_795_392_000


@pytest.fixture
def requests_count(request, lab):
    return min(request.config.getoption("--fuzz") or FEW[lab.store.engine.dialect.name], MANY)


@pytest.mark.timeout(0)
def test_fuzz_no_request_is_a_mistake_of_the_server(lab, slot, caplog, requests_count):
    if not lab.store.postgres:

        @event.listens_for(lab.store.engine, "checkout")
        def patient(connection, *_):  # on a machine that is busy a disk takes its time
            connection.execute("PRAGMA busy_timeout = 20000")

    board = lab.board()
    board.upload(*[slot(n, T0 - 1800 * n, n) for n in range(1, 50)])
    kept = [reading["t"] for reading in board.readings()]
    with lab.store.writing() as connection:
        key = keys.add(connection, "fuzz", T0)
        settings.write(connection, {"api.rate": 100_000})
    pair = base64.b64encode(f"{key.access_key}:{key.secret}".encode()).decode()
    logins = [{"Authorization": f"Basic {pair}"}, {"Authorization": f"Bearer {board.token}"}, {}]
    schema = schemathesis.openapi.from_dict(lab.app.openapi())
    operations = [result.ok() for result in schema.get_all_operations()]  # pyright: ignore
    assert len(operations) >= 7
    caplog.set_level(logging.DEBUG)
    codes, counts = {}, {}

    def ask(case):
        """One request as each of those who may come."""
        kwargs = case.as_transport_kwargs(base_url="http://testserver")
        headers = {n: v for n, v in (kwargs.get("headers") or {}).items() if v.isascii()}
        content = kwargs.get("data")
        if kwargs.get("json") is not None:
            content = json.dumps(kwargs["json"])
        content = content.encode() if isinstance(content, str) else content
        for login in logins:
            lab.now += 1  # the counts of each minute begin again and again
            request = client.build_request(
                kwargs["method"],
                kwargs["url"],
                params=kwargs.get("params"),
                headers={**headers, **login},
                content=content,
            )
            check(case, runner.run(client.send(request)))

    def check(case, answer):
        label = case.operation.label
        counts[label] = counts.get(label, 0) + 1
        codes.setdefault(label, set()).add(answer.status_code)
        # "Not now" is right for readings from times that the server's clock has not reached.
        ahead = answer.status_code == 503 and answer.json()["type"] == "/problems/clock"
        assert answer.status_code < 500 or ahead, (label, answer.text)
        documented = set(case.operation.definition.raw["responses"])
        assert str(answer.status_code) in documented | {"404", "405"}, (label, answer.text)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == answer.status_code

    def fuzz(operation, mode, share):
        @hypothesis_settings(
            max_examples=max(1, share // len(logins)),
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),  # pyright: ignore
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def run(case):
            ask(case)

        run()

    positive, negative = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
    left = [(operation, positive) for operation in operations]
    # The others have nothing that can be wrong.
    sorts = {"parameters", "requestBody", "security"}
    left += [(each, negative) for each in operations if sorts & set(each.definition.raw)]
    transport = httpx2.ASGITransport(lab.app, raise_app_exceptions=False)
    client = httpx2.AsyncClient(transport=transport, base_url="http://testserver")
    with asyncio.Runner() as runner:
        # Some have few different requests, and the others do more instead.
        while left and (more := requests_count - sum(counts.values())) > 0:
            share = -(-more // len(left))
            for operation, mode in list(left):
                before = counts.get(operation.label, 0)
                fuzz(operation, mode, share)
                if counts[operation.label] - before < share // 2:
                    left.remove((operation, mode))
                print(f"{sum(counts.values()):,} requests", file=sys.stderr, flush=True)
        runner.run(client.aclose())
    assert set(counts) == {operation.label for operation in operations}
    assert sum(counts.values()) >= requests_count * 9 // 10
    seen = set().union(*codes.values())
    assert {200, 401, 404, 422} <= seen
    # The gateway's own readings are as they were, whatever else was uploaded with its token.
    assert set(kept) <= {reading["t"] for reading in board.readings()}
    assert board.detail()["stored"] >= len(kept)
    for secret in (key.secret, board.token, pair):
        assert secret not in caplog.text

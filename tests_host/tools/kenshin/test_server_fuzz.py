"""Requests made from the OpenAPI document, right and wrong ones: never a 500, and nothing lost."""

import base64
import itertools
import json
import logging

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from sqlalchemy import event

from kenshin.server import keys, settings

# In every run; `make fuzz` asks for more, of which a request, slower than a parser, takes these.
FEW, MANY = 2_000, 100_000
T0 = 1_795_392_000


@pytest.fixture(scope="module")
def requests_count(request):
    return min(request.config.getoption("--fuzz") or FEW, MANY)


@pytest.mark.timeout(0)
def test_fuzz_no_request_is_a_mistake_of_the_server(sqlite_lab, slot, caplog, requests_count):
    lab = sqlite_lab

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
    client = lab.visitor()
    caplog.set_level(logging.DEBUG)
    codes = {}

    def ask(case, login):
        lab.now += 1  # the counts of each minute begin again and again
        kwargs = case.as_transport_kwargs(base_url="http://testserver")
        headers = {n: v for n, v in (kwargs.get("headers") or {}).items() if v.isascii()}
        content = kwargs.get("data")
        if kwargs.get("json") is not None:
            content = json.dumps(kwargs["json"])
        answer = client.request(
            kwargs["method"],
            kwargs["url"],
            params=kwargs.get("params"),
            headers={**headers, **login},
            content=content.encode() if isinstance(content, str) else content,
        )
        label = case.operation.label
        codes.setdefault(label, set()).add(answer.status_code)
        # "Not now" is right for readings from times that the server's clock has not reached.
        ahead = answer.status_code == 503 and answer.json()["type"] == "/problems/clock"
        assert answer.status_code < 500 or ahead, (label, answer.text)
        documented = set(case.operation.definition.raw["responses"])
        assert str(answer.status_code) in documented | {"404", "405"}, (label, answer.text)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == answer.status_code

    for operation in operations:
        share = max(1, requests_count // (len(operations) * 2))
        modes = [schemathesis.GenerationMode.POSITIVE]
        if {"parameters", "requestBody", "security"} & set(operation.definition.raw):
            modes.append(schemathesis.GenerationMode.NEGATIVE)  # where something can be wrong
        for mode in modes:
            asked = itertools.count()

            @hypothesis_settings(
                max_examples=share,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),  # pyright: ignore
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def run(case):
                n = next(asked)  # noqa: B023 - run before the next one is made
                ask(case, logins[0 if n % 8 else n // 8 % 3])

            run()
    seen = set().union(*codes.values())
    assert {200, 401, 404, 422} <= seen
    # The gateway's own readings are as they were, whatever else was uploaded with its token.
    assert set(kept) <= {reading["t"] for reading in board.readings()}
    assert board.detail()["stored"] >= len(kept)
    for secret in (key.secret, board.token, pair):
        assert secret not in caplog.text

"""docs/upload.schema.json, held against what the gateway sends and what the server answers."""

from __future__ import annotations

import asyncio
import copy
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from house import START, House
from kenshin.server.wire import receipt
from meterlab.household import day_of

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[3] / "docs" / "upload.schema.json").read_text("utf-8")
)
UPLOAD = jsonschema_rs.validator_for(SCHEMA)
ANSWER = jsonschema_rs.validator_for({**SCHEMA, "$ref": "#/$defs/answer"})


@pytest.fixture(scope="module")
def posts() -> list[dict[str, Any]]:
    """What a gateway sent in an hour, with a bad quarter of an hour in its midst."""

    async def story(h: House) -> list[dict[str, Any]]:
        await h.polling()
        await asyncio.sleep(1200)
        h.do("link.loss 0.9")
        await asyncio.sleep(900)
        h.do("link.loss 0")
        await asyncio.sleep(1500)
        await h.until(lambda: len(h.app.outbox) == 0, 5)
        return h.server.posts

    return House(None, installed=day_of(START)).run(story)


def test_every_upload_is_as_the_schema_says(posts: list[dict[str, Any]]) -> None:
    kinds = {row[1] for post in posts for row in post["readings"]}
    assert kinds == {"instant", "half-hour"}
    for post in posts:
        UPLOAD.validate(post)
    assert any(post["status"]["word"] for post in posts)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("v",), 2),
        (("stream",), -1),
        (("readings", 0, 1), "hour"),
        (("readings", 0, 2), 1.5),
        (("readings", 0, 4), "120"),
        (("readings", 0, 9), "E3"),
        (("status", "word"), "wifi"),
        (("more",), 1),
    ],
)
def test_what_is_wrong_is_none(
    posts: list[dict[str, Any]], path: tuple[Any, ...], value: Any
) -> None:
    post = copy.deepcopy(next(post for post in posts if post["readings"]))
    place: Any = post
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert not UPLOAD.is_valid(post)


def test_the_servers_answer_is_as_the_schema_says() -> None:
    text = receipt(START, [(1, 64), (66, 66)], [(65, "t: in the future")], ["2026-11-20"])
    ANSWER.validate(json.loads(text))

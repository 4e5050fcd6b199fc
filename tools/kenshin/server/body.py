"""Reading a request's body: bounded in size and in time, before anything looks at it."""

import asyncio

from fastapi import Request
from starlette.requests import ClientDisconnect

from kenshin.server.problems import Problem


async def read(request: Request, limit: int, seconds: float) -> bytes:
    """The whole body, of at most `limit` bytes, within `seconds`.

    Raises Problem: too-large, too-slow, incomplete, encoding.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        await discard(request, limit, seconds)
        raise Problem("encoding")
    body = bytearray()
    if await _take(request, body, limit, seconds):
        return bytes(body)
    raise Problem("too-large", f"an upload has at most {limit} bytes: send fewer readings at once")


async def discard(request: Request, limit: int, seconds: float) -> None:
    """Take a body that will not be used, up to a bound.

    Closing a connection with unread data resets it, and the other side may then never see the
    answer: it would take "wrong token" for a broken network.
    """
    await _take(request, None, limit, seconds)


async def _take(request: Request, body: bytearray | None, limit: int, seconds: float) -> bool:
    """Whether the whole body fitted. What is beyond `limit` is thrown away, up to a bound."""
    size = 0
    # Too large by its own word: nothing of it is kept.
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit:
        body = None
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    body = None
                if size > 4 * limit:
                    return False
                if body is not None:
                    body += chunk
    except TimeoutError:
        raise Problem("too-slow", f"a body must arrive within {seconds:g} s") from None
    except ClientDisconnect:
        raise Problem("incomplete") from None
    return size <= limit

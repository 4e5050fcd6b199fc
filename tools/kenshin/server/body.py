"""Reading a request's body: bounded in size and in time, before anything looks at it."""

import asyncio
from contextlib import suppress

from fastapi import Request
from starlette.requests import ClientDisconnect

from kenshin.server.problems import Problem


async def read(request: Request, limit: int, seconds: float) -> bytes:
    """The whole body, of at most `limit` bytes, within `seconds`.

    Raises Problem: too-large, too-slow, incomplete, encoding. What is then still to come is read
    and dropped by the web server, so that the other side gets the answer and no reset; unless it
    speaks HTTP/1.0, see drop().
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem("encoding")
    too_large = Problem(
        "too-large", f"an upload has at most {limit} bytes: send fewer readings at once"
    )
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                if len(body) + len(chunk) > limit:
                    raise too_large
                body += chunk
    except TimeoutError:
        raise Problem("too-slow", f"a body must arrive within {seconds:g} s") from None
    except ClientDisconnect:
        raise Problem("incomplete") from None
    return bytes(body)


async def drop(request: Request, limit: int, seconds: float) -> None:
    """Read and forget the body of a request that is refused anyway.

    After the answer to an HTTP/1.0 request, which a board's is, the web server closes: whoever is
    still writing then gets a reset in place of the answer.
    """
    with suppress(Problem):  # one reason is enough
        await read(request, limit, seconds)

"""Who is asking, and what may be read: a person, an API key, or a gateway about itself."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response
from sqlalchemy import Connection, select

from kenshin.server import gateways, keys, people, rates, settings, tokens
from kenshin.server.problems import Problem
from kenshin.server.schema import Gateway
from kenshin.server.service import Served, Service

# Wrong keys, secrets and tokens that one address may try in a minute.
WRONG_A_MINUTE = 30
COOKIE = "kenshin"


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who may read, and what. `headers` belong to the answer."""

    scope: keys.Scope
    person: people.Person | None
    headers: dict[str, str]

    def gateway(self, connection: Connection, code: str) -> tuple[int, str]:
        """(number, time zone) of a gateway that may be read. Raises Problem: not-found."""
        if tokens.is_code(code):
            row = connection.execute(
                select(Gateway.id, Gateway.group_id, Gateway.zone).where(Gateway.code == code)
            ).one_or_none()
            if row is not None and self.scope.holds(row.id, row.group_id):
                return row.id, row.zone
        # What may not be seen is told from what is not there by nobody.
        raise Problem("not-found", "no gateway has this service code")


_ALL = keys.Scope("", None, None)


def address(request: Request) -> str:
    """Where the request came from."""
    return request.client.host if request.client else "?"


def _wrong(request: Request, service: Service) -> Problem:
    with service.store.writing() as connection:
        name = f"wrong:{address(request)}"
        taken = rates.take(connection, name, WRONG_A_MINUTE, service.now())
    if taken.exceeded:
        return Problem("too-many", headers={"Retry-After": str(taken.reset)})
    return Problem("wrong-key", headers={"WWW-Authenticate": 'Basic realm="kenshin"'})


def _by_key(request: Request, service: Service, key: str, secret: str) -> Reader:
    now = service.now()
    with service.store.writing() as connection:
        scope = keys.find(connection, key, secret, now)
        limit = settings.number(connection, "api.rate")
        taken = rates.take(connection, f"key:{scope.access_key}", limit, now) if scope else None
    if scope is None or taken is None:
        raise _wrong(request, service)
    if taken.exceeded:
        raise Problem("too-many", headers={**taken.headers(), "Retry-After": str(taken.reset)})
    return Reader(scope, None, taken.headers())


def _itself(request: Request, service: Service, token: str) -> Reader:
    try:
        with service.store.reading() as connection:
            known = gateways.holder(connection, token, service.now())
    except gateways.NotAllowed:
        raise Problem("token-expired") from None
    if known is None:
        raise _wrong(request, service)
    return Reader(keys.Scope("", known.id, None), None, {})


def reader(request: Request, service: Served, response: Response) -> Reader:
    """Who may read; the answer is for them only. (One that a route makes itself says so itself.)

    Raises Problem: no-key, wrong-key, too-many, token-expired.
    """
    found = _who(request, service)
    response.headers.update(found.headers)
    response.headers["Cache-Control"] = "no-store"
    return found


def _who(request: Request, service: Service) -> Reader:
    header = request.headers.get("authorization")
    if header is None:
        person = visitor(request, service)
        if person is None:
            raise Problem("no-key", headers={"WWW-Authenticate": 'Basic realm="kenshin"'})
        return Reader(_ALL, person, {})
    with service.store.reading() as connection:
        name = f"wrong:{address(request)}"
        tried = rates.look(connection, name, WRONG_A_MINUTE, service.now())
    if tried.exceeded:
        raise Problem("too-many", headers={"Retry-After": str(tried.reset)})
    pair = keys.basic(header)
    if pair is not None:
        return _by_key(request, service, *pair)
    token = tokens.bearer(header)
    if token is not None:
        return _itself(request, service, token)
    raise _wrong(request, service)


def visitor(request: Request, service: Service) -> people.Person | None:
    """The person whose session the request carries."""
    cookie = request.cookies.get(COOKIE)
    if cookie is not None and len(cookie) <= 100:
        with service.store.reading() as connection:
            found = people.session(connection, cookie, service.now())
        if found is not None:
            if found.tired:
                with service.store.writing() as connection:
                    people.seen(connection, cookie, service.now())
            return found
    return people.GUEST if service.open else None


Reading = Annotated[Reader, Depends(reader)]

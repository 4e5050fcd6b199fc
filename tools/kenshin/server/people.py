"""People: roles, passwords (argon2), sessions, and one-time links to set a password."""

import secrets
from functools import cache
from typing import NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, delete, func, insert, or_, select, update

from kenshin.server import settings, tokens
from kenshin.server.schema import Invitation, Session, User

ROLES = ("viewer", "operator", "owner")  # each may do what those before it may
INVITED = 7 * 86_400  # seconds that a link to set a password works
THEMES = ("light", "dark")
SHORTEST = 10  # characters of a password
LONGEST = 200
_SEEN_EVERY = 60  # seconds: how exactly a session's last use is known


class PeopleError(ValueError):
    """Something cannot be done with people as asked; the text says why."""


class Person(NamedTuple):
    """Somebody with a session."""

    id: int
    name: str
    role: str
    csrf: str
    language: str | None
    tired: bool = False  # its last use is to be noted again
    theme: str | None = None  # light or dark; None = as the browser has it

    def may(self, role: str) -> bool:
        """Whether the person has at least this role."""
        return ROLES.index(self.role) >= ROLES.index(role)


# Who looks at a demonstration: everybody on this machine.
GUEST = Person(0, "guest", "viewer", "", None)


class UserRow(NamedTuple):
    """A person, as an owner sees it."""

    id: int
    name: str
    role: str
    ready: bool
    created: int


@cache
def _hasher() -> PasswordHasher:
    # The library's own parameters (RFC 9106, low memory): 64 MiB, 3 passes.
    return PasswordHasher()


@cache
def _nobodys_hash() -> str:
    return _hasher().hash(secrets.token_hex(16))


def check_name(name: str) -> str:
    """A name fit for a person. Raises PeopleError."""
    name = name.strip()
    if not 0 < len(name) <= 60 or not name.isprintable():
        raise PeopleError("a name has 1 to 60 printable characters")
    return name


def check_password(password: str) -> None:
    """Raises PeopleError when it is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise PeopleError(f"a password has {SHORTEST} to {LONGEST} characters")


def anybody(connection: Connection) -> bool:
    """Whether somebody can log in."""
    return (
        connection.scalar(select(User.id).where(User.password.is_not(None)).limit(1)) is not None
    )


def listed(connection: Connection) -> list[UserRow]:
    """All people."""
    rows = connection.execute(
        select(User.id, User.name, User.role, User.password.is_not(None), User.created).order_by(
            User.name
        )
    )
    return [UserRow(row[0], row[1], row[2], bool(row[3]), row[4]) for row in rows]


def find(connection: Connection, name: str) -> int:
    """The number of a person. Raises PeopleError."""
    number = connection.scalar(select(User.id).where(User.name == name.strip()))
    if number is None:
        raise PeopleError(f'there is nobody named "{name}"')
    return number


def add(
    connection: Connection, name: str, role: str, now: int, password: str | None = None
) -> int:
    """Add a person; without a password, `invite` gives a link to set one. Raises PeopleError."""
    name = check_name(name)
    if role not in ROLES:
        raise PeopleError("a role is one of " + ", ".join(ROLES))
    if connection.scalar(select(User.id).where(User.name == name)) is not None:
        raise PeopleError(f'there is already somebody named "{name}"')
    if password is not None:
        check_password(password)
    number = connection.scalar(
        insert(User)
        .values(
            name=name,
            role=role,
            password=None if password is None else _hasher().hash(password),
            created=now,
        )
        .returning(User.id)
    )
    assert number is not None
    return number


def set_password(connection: Connection, user_id: int, password: str) -> None:
    """Set it; whoever was logged in with the old one is not any more. Raises PeopleError."""
    check_password(password)
    connection.execute(
        update(User).where(User.id == user_id).values(password=_hasher().hash(password))
    )
    connection.execute(delete(Session).where(Session.user_id == user_id))
    connection.execute(delete(Invitation).where(Invitation.user_id == user_id))


def set_role(connection: Connection, user_id: int, role: str) -> None:
    """Change a role. Raises PeopleError; also when nobody would be owner any more."""
    if role not in ROLES:
        raise PeopleError("a role is one of " + ", ".join(ROLES))
    if role != "owner":
        _not_the_last(connection, user_id)
    connection.execute(update(User).where(User.id == user_id).values(role=role))


def set_language(connection: Connection, user_id: int, language: str | None) -> None:
    """What the person reads; None = what the browser asks for."""
    connection.execute(update(User).where(User.id == user_id).values(language=language))


def set_theme(connection: Connection, user_id: int, theme: str | None) -> None:
    """Light or dark; None = what the browser asks for. Raises PeopleError."""
    if theme not in (None, *THEMES):
        raise PeopleError("pages are light or dark")
    connection.execute(update(User).where(User.id == user_id).values(theme=theme))


def remove(connection: Connection, user_id: int) -> None:
    """Remove a person. Raises PeopleError when nobody would be owner any more."""
    _not_the_last(connection, user_id)
    connection.execute(delete(Session).where(Session.user_id == user_id))
    connection.execute(delete(Invitation).where(Invitation.user_id == user_id))
    connection.execute(delete(User).where(User.id == user_id))


def _not_the_last(connection: Connection, user_id: int) -> None:
    # Locked, so that of two owners who remove each other at once one stays.
    owners = connection.execute(
        select(User.id, User.password.is_not(None))
        .where(User.role == "owner")
        .order_by(User.id)
        .with_for_update()
    ).all()
    others = any(ready for number, ready in owners if number != user_id)
    if not others and any(number == user_id for number, _ in owners):
        raise PeopleError("this is the only owner: make somebody else owner first")


def verify(connection: Connection, name: str, password: str) -> int | None:
    """The number of the person with this name and password, or None; both take as long."""
    row = connection.execute(
        select(User.id, User.password).where(User.name == name.strip()[:60])
    ).one_or_none()
    stored = row.password if row is not None else None
    try:
        _hasher().verify(stored or _nobodys_hash(), password)
    except (VerificationError, InvalidHashError):
        return None
    if row is None or stored is None:
        return None
    return row.id


# ---- sessions ----


def begin(connection: Connection, user_id: int, now: int, agent: str) -> str:
    """A new session; the value of its cookie."""
    cookie = tokens.new_token()
    agent = "".join(letter for letter in agent[:200] if letter.isprintable())
    connection.execute(
        insert(Session).values(
            sha256=tokens.sha256(cookie),
            user_id=user_id,
            csrf=tokens.new_token(),
            created=now,
            seen=now,
            agent=agent,
        )
    )
    return cookie


def session(connection: Connection, cookie: str, now: int) -> Person | None:
    """Whose session it is, unless it has ended."""
    hashed = tokens.sha256(cookie)
    row = connection.execute(
        select(
            Session.sha256,
            Session.created,
            Session.seen,
            Session.csrf,
            User.id,
            User.name,
            User.role,
            User.language,
            User.theme,
        )
        .join(User, User.id == Session.user_id)
        .where(Session.sha256 == hashed)
    ).one_or_none()
    if row is None or not tokens.same(row.sha256, hashed):
        return None
    idle = settings.number(connection, "session.idle_hours") * 3600
    longest = settings.number(connection, "session.longest_hours") * 3600
    if now - row.seen >= idle or now - row.created >= longest:
        return None
    tired = not 0 <= now - row.seen < _SEEN_EVERY
    return Person(row.id, row.name, row.role, row.csrf, row.language, tired, row.theme)


def longest(connection: Connection) -> int:
    """Seconds after which a session ends in any case."""
    return settings.number(connection, "session.longest_hours") * 3600


def seen(connection: Connection, cookie: str, now: int) -> None:
    """The session was used."""
    connection.execute(
        update(Session).where(Session.sha256 == tokens.sha256(cookie)).values(seen=now)
    )


def end(connection: Connection, cookie: str) -> None:
    """Log out."""
    connection.execute(delete(Session).where(Session.sha256 == tokens.sha256(cookie)))


def count_sessions(connection: Connection, user_id: int) -> int:
    """In how many browsers the person is logged in."""
    counted = select(func.count()).select_from(Session).where(Session.user_id == user_id)
    return connection.scalar(counted) or 0


def end_others(connection: Connection, user_id: int, cookie: str) -> None:
    """End the person's sessions, but for the one of this cookie."""
    connection.execute(
        delete(Session).where(Session.user_id == user_id, Session.sha256 != tokens.sha256(cookie))
    )


# ---- one-time links ----


def invite(connection: Connection, user_id: int | None, now: int) -> str:
    """The secret of a new link for a person, or (None) for the first owner; older ones end."""
    secret = tokens.new_token()
    if user_id is None:
        old = Invitation.user_id.is_(None)
    else:
        old = Invitation.user_id == user_id
    connection.execute(delete(Invitation).where(old))
    connection.execute(
        insert(Invitation).values(
            sha256=tokens.sha256(secret), user_id=user_id, expires=now + INVITED
        )
    )
    return secret


class Invited(NamedTuple):
    """Whom a link is for; `name` = None: the first owner, who chooses one."""

    user_id: int | None
    name: str | None


def invited(connection: Connection, secret: str, now: int) -> Invited | None:
    """Whom the link is for, or None when it does not work (any more)."""
    row = connection.execute(
        select(Invitation.user_id, User.name)
        .outerjoin(User, User.id == Invitation.user_id)
        .where(Invitation.sha256 == tokens.sha256(secret), Invitation.expires > now)
        .where(or_(Invitation.user_id.is_(None), User.id.is_not(None)))
    ).one_or_none()
    if row is None or (row.user_id is None and anybody(connection)):
        return None
    return Invited(row.user_id, row.name)


def accept(connection: Connection, secret: str, name: str, password: str, now: int) -> int:
    """Set the password of whom the link is for; the person's number. Raises PeopleError."""
    found = invited(connection, secret, now)
    used = delete(Invitation).where(Invitation.sha256 == tokens.sha256(secret))
    # Who deletes it has it: another who opened it at the same moment waits here, and is late.
    if found is None or connection.execute(used).rowcount != 1:
        raise PeopleError("this link does not work any more")
    check_password(password)
    user_id = found.user_id
    if user_id is None:
        user_id = add(connection, name, "owner", now)
    set_password(connection, user_id, password)
    return user_id

"""Settings of the server, kept in the database: one table defines each once."""

import json
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, select

from kenshin.server import directory, units
from kenshin.server.schema import Setting
from kenshin.server.upserts import upsert


class SettingError(ValueError):
    """A setting cannot be set as asked; the text says why."""


class Definition(NamedTuple):
    """A setting: its default also says its type. Numbers have bounds, words may be a choice."""

    default: int | str
    least: int = 0
    most: int = 0
    secret: bool = False
    choice: tuple[str, ...] = ()
    above: int = 0  # the least but for 0


DEFINITIONS: dict[str, Definition] = {
    # Days that instants are kept; 0 = for ever. Hours, days and half-hours stay in any case.
    "retention.instant_days": Definition(400, 0, 36_500),
    "retention.health_days": Definition(400, 0, 36_500),
    # Seconds that gateways are asked to wait between uploads; 0 = as they like.
    "upload.interval": Definition(0, 0, 3600, above=10),
    # Requests a minute, for each API key.
    "api.rate": Definition(120, 1, 100_000),
    # Hours after which a session ends when it is not used, and in any case.
    "session.idle_hours": Definition(24 * 7, 1, 24 * 365),
    "session.longest_hours": Definition(24 * 30, 1, 24 * 365),
    # Time zone of new gateways, and of pages that show several.
    "display.zone": Definition("Asia/Tokyo"),
    # Language for who has not chosen one; "" = what the browser asks for.
    "display.language": Definition("", choice=("", "en", "ja")),
    # How alerts are told: see `alerts`.
    "alerts.language": Definition("en", choice=("en", "ja")),
    "alerts.mail_to": Definition(""),
    "alerts.hook_url": Definition("", secret=True),  # services put a key into its path
    "alerts.hook_secret": Definition("", secret=True),
    "mail.host": Definition(""),
    "mail.port": Definition(587, 1, 65_535),
    "mail.security": Definition("starttls", choice=("starttls", "ssl", "none")),
    "mail.user": Definition(""),
    "mail.password": Definition("", secret=True),
    "mail.from": Definition(""),
    "mail.ca": Definition(""),  # a file of certificates, when the mail server's CA is an own one
}


def check(key: str, value: Any) -> int | str:
    """The value, fit to be stored. Raises SettingError."""
    definition = DEFINITIONS.get(key)
    if definition is None:
        raise SettingError(f'there is no setting "{key}"')
    if isinstance(definition.default, int):
        try:
            number = int(value)
        except (TypeError, ValueError):
            raise SettingError(f"{key} is a whole number") from None
        if not definition.least <= number <= definition.most or 0 < number < definition.above:
            zero = "0, or " if definition.above else ""
            least = definition.above or definition.least
            raise SettingError(f"{key} is {zero}between {least} and {definition.most}")
        return number
    text = str(value)
    if len(text) > 500 or not text.isprintable():
        raise SettingError(f"{key} has at most 500 printable characters")
    if definition.choice and text not in definition.choice:
        raise SettingError(f"{key} is one of " + ", ".join(definition.choice).lstrip(", "))
    if key.endswith(".zone"):
        try:
            units.check_zone(text)
        except ValueError as error:
            raise SettingError(str(error)) from None
    return text


def read(connection: Connection) -> dict[str, Any]:
    """All settings."""
    found: dict[str, Any] = {key: each.default for key, each in DEFINITIONS.items()}
    for key, value in connection.execute(select(Setting.key, Setting.value)):
        if key in found:
            found[key] = json.loads(value)
    return found


def number(connection: Connection, key: str) -> int:
    """A setting that is a number."""
    stored = connection.scalar(select(Setting.value).where(Setting.key == key))
    return cast(int, DEFINITIONS[key].default if stored is None else json.loads(stored))


def text(connection: Connection, key: str) -> str:
    """A setting that is a text."""
    stored = connection.scalar(select(Setting.value).where(Setting.key == key))
    return cast(str, DEFINITIONS[key].default if stored is None else json.loads(stored))


def write(connection: Connection, changes: dict[str, Any]) -> None:
    """Set them. Raises SettingError."""
    rows = [{"key": key, "value": json.dumps(check(key, value))} for key, value in changes.items()]
    if rows:
        upsert(connection, Setting, rows)
        directory.changed(connection)  # servers that remember a setting read it again

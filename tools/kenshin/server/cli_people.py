"""`kenshin server user`, `key` and `settings`."""

import json
import time
from typing import Annotated

import typer

from kenshin.server import keys, people, settings, units
from kenshin.server.cli_common import AsJson, Database, fail, opened, show

user_app = typer.Typer(no_args_is_help=True, help="People who may log in.")
key_app = typer.Typer(no_args_is_help=True, help="Access keys of the API, for other programs.")
settings_app = typer.Typer(no_args_is_help=True, help="Settings of the server.")

UserName = Annotated[str, typer.Argument(help="The person's name.")]
Role = Annotated[str, typer.Option(help="viewer, operator or owner.")]


def _link(secret: str) -> None:
    typer.echo(f"Open once, within 7 days, on the server's address: /welcome/{secret}")


@user_app.command("add")
def user_add(name: UserName, db: Database = None, role: Role = "viewer") -> None:
    """Add a person: prints a link with which they choose a password."""
    now = int(time.time())
    with opened(db) as store, store.writing() as connection:
        secret = people.invite(connection, people.add(connection, name, role, now), now)
    _link(secret)


@user_app.command("reset")
def user_reset(name: UserName, db: Database = None) -> None:
    """A link with which a person chooses a new password; the old one works until then."""
    with opened(db) as store, store.writing() as connection:
        secret = people.invite(connection, people.find(connection, name), int(time.time()))
    _link(secret)


@user_app.command("role")
def user_role(
    name: UserName,
    role: Annotated[str, typer.Argument(help="viewer, operator or owner.")],
    db: Database = None,
) -> None:
    """Change what a person may do."""
    with opened(db) as store, store.writing() as connection:
        people.set_role(connection, people.find(connection, name), role)
    typer.echo(f"{name}: {role}")


@user_app.command("remove")
def user_remove(name: UserName, db: Database = None) -> None:
    """Remove a person, and log them out."""
    with opened(db) as store, store.writing() as connection:
        people.remove(connection, people.find(connection, name))
    typer.echo(f"{name}: removed")


@user_app.command("list")
def user_list(db: Database = None, as_json: AsJson = False) -> None:
    """List the people."""
    with opened(db) as store, store.reading() as connection:
        rows = people.listed(connection)
    show(
        rows,
        as_json,
        lambda row: f"{row.name}  {row.role}" + ("" if row.ready else "  (no password yet)"),
        "Nobody yet: `kenshin server run` prints a link for the first one.",
    )


@key_app.command("add")
def key_add(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    db: Database = None,
    gateway: Annotated[str | None, typer.Option(help="Only this gateway.")] = None,
    group: Annotated[str | None, typer.Option(help="Only this group.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=36500, help="Ends by itself.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make an access key: prints it and, this once, its secret."""
    with opened(db) as store, store.writing() as connection:
        made = keys.add(
            connection, name, int(time.time()), gateway=gateway, group=group, days=days
        )
    if as_json:
        typer.echo(json.dumps(made._asdict()))
        return
    typer.echo(f"Access key  {made.access_key}")
    typer.echo(f"Secret      {made.secret}")
    typer.echo("The secret is not shown again.")


@key_app.command("list")
def key_list(db: Database = None, as_json: AsJson = False) -> None:
    """List the access keys."""
    with opened(db) as store, store.reading() as connection:
        rows = keys.listed(connection)
    show(rows, as_json, _key)


def _key(row: keys.KeyRow) -> str:
    scope = row.gateway or (f"group {row.group}" if row.group else "all")
    used = units.rfc3339(row.used) if row.used is not None else "never"
    return f"{row.access_key}  {row.name}  {scope}  used {used}"


@key_app.command("revoke")
def key_revoke(
    access_key: Annotated[str, typer.Argument(help="The access key.")], db: Database = None
) -> None:
    """End an access key."""
    with opened(db) as store:
        with store.writing() as connection:
            there = keys.revoke(connection, access_key)
        if not there:
            fail("there is no such access key")
    typer.echo(f"{access_key}: ended")


@settings_app.command("show")
def settings_show(db: Database = None) -> None:
    """All settings."""
    with opened(db) as store, store.reading() as connection:
        found = settings.read(connection)
    for key, value in found.items():
        hidden = settings.DEFINITIONS[key].secret and value
        typer.echo(f"{key} = {'***' if hidden else value}")


@settings_app.command("set")
def settings_set(
    key: Annotated[str, typer.Argument()],
    value: Annotated[str, typer.Argument()],
    db: Database = None,
) -> None:
    """Change one."""
    with opened(db) as store, store.writing() as connection:
        settings.write(connection, {key: value})
    typer.echo(f"{key}: set")

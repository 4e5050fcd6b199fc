"""`kenshin server alerts`: what is open, the rules, a test message."""

import time
from typing import Annotated

import typer

from kenshin.server.alerts import book, quiet, rules, texts
from kenshin.server.alerts.worker import Alarms
from kenshin.server.cli_common import AsJson, Database, fail, opened, show

app = typer.Typer(no_args_is_help=True, help="Alerts: what is wrong, and who is told of it.")

Number = Annotated[int, typer.Argument(help="The rule's number.")]


@app.command("list")
def list_(
    db: Database = None,
    ended: Annotated[bool, typer.Option("--ended", help="Those that are over.")] = False,
    as_json: AsJson = False,
) -> None:
    """What is open."""
    with opened(db) as store, store.reading() as connection:
        found = book.entries(connection, still=not ended, limit=1000)
    show(found, as_json, _entry, "Nothing.")


def _entry(one: book.Entry) -> str:
    over = f" until {texts.moment(one.until)}" if one.until is not None else ""
    said = texts.sentence("en", one)
    return f"{one.code}  {one.name}  {said}  since {texts.moment(one.since)}{over}"


@app.command("rules")
def rules_(db: Database = None, as_json: AsJson = False) -> None:
    """The rules."""
    with opened(db) as store, store.reading() as connection:
        found = rules.listed(connection)
    show(
        found, as_json, _rule, "No rule yet. For example: kenshin server alerts add silent --mail"
    )


def _rule(rule: rules.Rule) -> str:
    whose = rule.gateway or (f"group:{rule.group}" if rule.group else "all")
    said = texts.sentence("en", rule, "rule")
    parts = [str(rule.id), rule.kind, said, whose, *rule.ways, rule.mail]
    if rule.quiet_from is not None:
        parts.append(f"quiet {quiet.show(rule.quiet_from)}-{quiet.show(rule.quiet_to)}")
    parts.append("" if rule.active else "off")
    return "  ".join(filter(None, parts))


@app.command()
def add(
    kind: Annotated[str, typer.Argument(help=", ".join(rules.KINDS))],
    db: Database = None,
    limit: Annotated[str, typer.Option(help="Another limit than the usual one.")] = "",
    minutes: Annotated[str, typer.Option(help="For how many minutes.")] = "",
    target: Annotated[
        str, typer.Option("--for", help="A gateway, or group:NAME; default: all.")
    ] = "",
    mail: Annotated[bool, typer.Option("--mail", help="Tell it by e-mail.")] = False,
    to: Annotated[str, typer.Option(help="Mail addresses; default: alerts.mail_to.")] = "",
    hook: Annotated[bool, typer.Option("--hook", help="Tell it to the web-hook.")] = False,
    quiet_hours: Annotated[
        str, typer.Option("--quiet", help="Such as 22:00-7:00, Japanese time.")
    ] = "",
    drop: Annotated[
        bool, typer.Option("--drop", help="What is over by the end of these is not told.")
    ] = False,
) -> None:
    """Add a rule: prints its number."""
    begin, _, end = quiet_hours.partition("-")
    fields = {"kind": kind, "threshold": limit, "minutes": minutes, "target": target}
    fields |= {"mail": "1" if mail or to else "", "hook": "1" if hook else "", "mail_to": to}
    fields |= {"quiet_from": begin, "quiet_to": end, "quiet_drop": "1" if drop else ""}
    with opened(db) as store, store.writing() as connection:
        number = rules.add(connection, fields)
    typer.echo(f"rule {number}: added")


@app.command()
def remove(number: Number, db: Database = None) -> None:
    """Remove a rule."""
    with opened(db) as store, store.writing() as connection:
        rules.remove(connection, number, int(time.time()))
    typer.echo(f"rule {number}: removed")


@app.command()
def test(
    db: Database = None,
    private_hooks: Annotated[
        bool, typer.Option("--private-hooks", help="As of `kenshin server run`.")
    ] = False,
) -> None:
    """Send a test message by each way that is set up."""
    with opened(db) as store:
        alarms = Alarms(store, lambda: int(time.time()), private_hooks=private_hooks)
        results = alarms.test()
        if not results:
            fail("neither mail.host nor alerts.hook_url is set: kenshin server settings set")
        for way, why in results.items():
            typer.echo(f"{way}: {why or 'sent'}")
        if any(results.values()):
            raise typer.Exit(1)

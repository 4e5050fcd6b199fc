"""The version of what server processes remember: who may upload, and settings."""

from sqlalchemy import Connection, select, text

from kenshin.server.schema import Meta


def changed(connection: Connection) -> None:
    """Say that it has changed: every server looks again before its next commit."""
    connection.execute(
        text(
            "UPDATE meta SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT)"
            " WHERE key = 'directory'"
        )
    )


def version(connection: Connection) -> str:
    """Grows with each change."""
    return connection.scalar(select(Meta.value).where(Meta.key == "directory")) or ""

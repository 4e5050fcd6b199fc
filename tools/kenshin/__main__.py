"""`python -m kenshin`."""

from kenshin.cli import app

app()

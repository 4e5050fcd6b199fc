"""`python -m meterlab`."""

from meterlab.cli import app

app(prog_name="meterlab")

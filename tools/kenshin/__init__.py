"""Kenshin on the PC: the `kenshin` command and the power metering server."""

__version__ = "0.1.0"

"""Telling people when something is not as it should be, and when that is over.

`rules` (what to look for) -> `watch` (measures; `judge` decides) -> `book` (what is open, and
what is to be told) -> `outbox` (messages, each sent once) -> `mail`, `hook`. `worker` turns the
wheel, in one process at a time.
"""

"""The wheel: look, note, send; in one server process at a time (see `leases`)."""

import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from kenshin.server import leases, settings, units
from kenshin.server.alerts import book, hook, mail, outbox, rules, texts, watch
from kenshin.server.alerts.ways import NotSent
from kenshin.server.store import Store, Unavailable
from kenshin.server.wheel import Wheel

log = logging.getLogger("kenshin.server")

EVERY = 30.0  # seconds between two looks
SLOW_EVERY = 600
FORGET_EVERY = 86_400
LEASE = 120  # seconds
_NAME = "alerts"
_SENDING = 60.0  # seconds at most, before it is looked again


class Alarms:
    """Works on a thread of its own until it is closed."""

    def __init__(self, store: Store, now: Callable[[], int], *, private_hooks: bool = False):
        self._store = store
        self._now = now
        self._private = private_hooks
        self._me = secrets.token_hex(8)
        self._awake = 0  # since when silence is the gateways' own
        self._slow = 0  # when slow kinds were looked at
        self._forgot = 0
        self._wheel = Wheel(_NAME, EVERY, self.work)

    def start(self) -> None:
        """Begin."""
        self._wheel.start()

    def close(self) -> None:
        """Finish what is being sent, and let another process go on at once."""
        if self._wheel.close():
            try:
                with self._store.writing() as connection:
                    leases.give_up(connection, _NAME, self._me, self._now())
            except Unavailable as error:
                log.warning("alerts: the lease runs out by itself: %s", error.why)

    def work(self) -> bool:
        """Do all that is due, if it is ours to do; whether it was."""
        now = self._now()
        with self._store.writing() as connection:
            lease = leases.take(connection, _NAME, self._me, now, LEASE)
        if not lease.ours:
            return False
        if lease.idle:
            # No server ran, or the clock jumped: gateways get their time to come back.
            self._awake = now
        self._look(now)
        self._send(now)
        if not 0 <= now - self._forgot < FORGET_EVERY:
            with self._store.writing() as connection:
                outbox.forget(connection, now)
            self._forgot = now
        return True

    def _look(self, now: int) -> None:
        slow = not 0 <= now - self._slow < SLOW_EVERY
        with self._store.reading() as connection:
            view = watch.look(connection, now, self._awake, slow=slow)
            todo = book.plan(connection, view, now)
        if slow:
            self._slow = now
        if not todo:
            return
        with self._store.writing() as connection:
            # From here on nobody else looks, until this is committed.
            if leases.held(connection, _NAME, self._me, now, LEASE):
                book.carry_out(connection, todo, now)

    def _send(self, now: int) -> None:
        begun = time.monotonic()
        with self._store.reading() as connection:
            due = outbox.due(connection, now)
        for rule_id, way in due:
            while not self._wheel.stopping and time.monotonic() - begun < _SENDING:
                with self._store.writing() as connection:
                    batch = outbox.claim(connection, rule_id, way, now)
                if batch is None or not self._try(batch, now):
                    break

    def _try(self, batch: outbox.Batch, now: int) -> bool:
        with self._store.reading() as connection:
            wished = settings.read(connection)
            rule = next((r for r in rules.listed(connection) if r.id == batch.rule_id), None)
        if rule is None:  # it went with its group, say
            with self._store.writing() as connection:
                rules.close_quietly(connection, [batch.rule_id], now)
            return True
        left: list[str] | None = None
        try:
            refused = self._one(wished, rule.mail, batch, now)
            why = _some(refused)
            if not refused.now:
                with self._store.writing() as connection:
                    outbox.sent(connection, batch, now, why)
                return True
            left = refused.now
        except NotSent as error:
            why = str(error)
        with self._store.writing() as connection:
            again = outbox.failed(connection, batch, now, str(why), left)
        log.warning(
            "alerts: %d messages by %s: %s; %s",
            len(batch.lines), batch.way, why, "tried again later" if again else "given up",
        )  # fmt: skip
        return left is not None

    def _one(self, wished: dict[str, Any], to: str, batch: outbox.Batch, now: int) -> mail.Refused:
        """Send it; who of several did not get it. Raises NotSent: nobody did."""
        if not batch.lines:  # their gateway is gone
            return mail.Refused([], [])
        language = str(wished["alerts.language"])
        if batch.way == "mail":
            whom = rules.addresses(to or str(wished["alerts.mail_to"]))
            if batch.left is not None:  # the others have it, or were taken off the list
                whom = [address for address in whom if address in batch.left]
                if not whom:
                    return mail.Refused([], [])
            subject = texts.subject(language, batch.lines)
            return mail.send(wished, whom, subject, texts.body(language, batch.lines), now)
        told = [_told(language, line) for line in batch.lines]
        self._post(wished, {"test": False, "alerts": told}, batch.claim, now)
        return mail.Refused([], [])

    def _post(
        self, wished: Mapping[str, Any], what: dict[str, Any], delivery: str, now: int
    ) -> None:
        body = json.dumps({"v": 1, "time": now, **what}, ensure_ascii=False).encode()
        url, secret = str(wished["alerts.hook_url"]), str(wished["alerts.hook_secret"])
        if not url:
            raise NotSent("alerts.hook_url is not set")
        hook.post(url, secret, body, delivery, now, private=self._private)

    def test(self) -> dict[str, str]:
        """Send a test message by each way that is set up; why not, or "", for each."""
        now = self._now()
        with self._store.reading() as connection:
            wished = settings.read(connection)
        words = texts.WORDS[str(wished["alerts.language"])]["mail"]
        results: dict[str, str] = {}
        if wished["mail.host"]:
            try:
                whom = rules.addresses(str(wished["alerts.mail_to"]))
                refused = mail.send(wished, whom, words["test_subject"], words["test"], now)
                results["mail"] = _some(refused) or ""
            except (NotSent, rules.RuleError) as error:
                results["mail"] = str(error)
        if wished["alerts.hook_url"]:
            try:
                told: dict[str, Any] = {"test": True, "text": words["test"], "alerts": []}
                self._post(wished, told, secrets.token_hex(16), now)
                results["hook"] = ""
            except NotSent as error:
                results["hook"] = str(error)
        return results


def _some(refused: mail.Refused) -> str | None:
    if not (refused.now or refused.ever):
        return None
    whom = ", ".join([*refused.now, *refused.ever])
    log.warning("alerts: the mail server refuses %s", whom)
    return f"the mail server refuses {whom}; the others got it"


def _told(language: str, line: outbox.Told) -> dict[str, Any]:
    return {
        "gateway": {"code": line.code, "name": line.name, "group": line.group},
        "rule": line.rule_id,
        "kind": line.kind,
        "state": line.what,
        "since": line.since,
        "until": line.until,
        "since_time": units.rfc3339(line.since),
        "value": line.value,
        "limit": line.threshold,
        "unit": rules.KINDS[line.kind].unit,
        "minutes": line.minutes,
        "text": texts.sentence(language, line),
    }

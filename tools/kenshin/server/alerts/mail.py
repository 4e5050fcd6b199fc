"""Sending a mail, by the mail server of the settings."""

import smtplib
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any, NamedTuple

from kenshin.server.alerts.ways import NotSent, is_loopback

SECONDS = 15.0  # for each step; no step is without a limit


class Refused(NamedTuple):
    """Addresses that a mail server did not take, when it took others."""

    now: list[str]  # for now (4xx): a mailbox that is busy or full, greylisting
    ever: list[str]


def send(wished: dict[str, Any], to: list[str], subject: str, body: str, now: int) -> Refused:
    """Send it; whom the mail server refused, when it took it for others.

    `wished` = the settings. Raises NotSent when nobody gets it; its text holds no secret.
    """
    host, user = str(wished["mail.host"]), str(wished["mail.user"])
    security = str(wished["mail.security"])
    sender = str(wished["mail.from"]) or (user if "@" in user else "")
    if not host or not sender:
        raise NotSent("mail.host and mail.from are not set")
    if not to:
        raise NotSent("nobody to send it to: set alerts.mail_to, or addresses in the rule")
    if security == "none" and user and not is_loopback(host):
        raise NotSent("a password is sent with starttls or ssl only: set mail.security")
    message = EmailMessage()
    message["Subject"] = " ".join(subject.split())
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2] or "localhost")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body)
    try:
        return _hand_over(wished, host, security, user, message)
    except smtplib.SMTPAuthenticationError:
        raise NotSent("the mail server refuses mail.user or mail.password") from None
    except smtplib.SMTPRecipientsRefused as error:
        raise NotSent(f"the mail server refuses {', '.join(error.recipients)}") from None
    except smtplib.SMTPResponseException as error:
        raise NotSent(f"the mail server says {error.smtp_code}") from None
    except smtplib.SMTPNotSupportedError:
        raise NotSent("the mail server does not offer what mail.security asks for") from None
    except ssl.SSLCertVerificationError as error:
        raise NotSent(f"the mail server's certificate: {error.verify_message}") from None
    except smtplib.SMTPException:
        raise NotSent("the mail server ended the conversation") from None
    except OSError as error:
        why = error.strerror or "no answer in time"
        raise NotSent(f"the mail server cannot be reached: {why}") from None


def _hand_over(
    wished: dict[str, Any], host: str, security: str, user: str, message: EmailMessage
) -> Refused:
    port = int(wished["mail.port"])
    try:
        context = ssl.create_default_context(cafile=str(wished["mail.ca"]) or None)
    except OSError:
        raise NotSent("mail.ca is no file of certificates") from None
    if security == "ssl":
        server = smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, port, timeout=SECONDS)
    with server:
        if security == "starttls":
            server.starttls(context=context)
        if user:
            server.login(user, str(wished["mail.password"]))
        refused = server.send_message(message)
    later = [address for address, (code, _) in refused.items() if 400 <= code < 500]
    return Refused(later, [address for address in refused if address not in later])

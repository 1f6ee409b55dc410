"""The connection to the mail server, and what its errors mean: whether a mail can be sent later."""

from contextlib import suppress
from smtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException, SMTPServerDisconnected
from typing import Any, NamedTuple, NoReturn

from django.core import mail
from django.core.mail import EmailMessage

from billing_site.errors import BillingError, Detail, ErrorCode


class Failure(NamedTuple):
    """Why a mail was not sent. `for_a_time`: it may work later."""

    code: ErrorCode
    message: str
    for_a_time: bool = False


def check_deliverable(address: str) -> None:
    """Refuse no address (90043), and one with letters before the @ that mail servers do not take (90044)."""
    if not address:
        raise BillingError(ErrorCode.NO_STATEMENT_ADDRESS)
    if not address.rpartition("@")[0].isascii():
        raise BillingError(
            ErrorCode.STATEMENT_NOT_SENT, Detail("the address has letters before the @ that mail servers do not take")
        )


def failure_of(error: Exception) -> Failure:
    """Return what an error of the mail server means. Its text is not kept, because it may contain secrets."""
    if isinstance(error, ServerDoesNotAnswer):
        return _not_sent(Detail("the mail server does not answer"), for_a_time=True)
    reply = _reply_of(error)
    if 400 <= reply < 500:
        return _not_sent(Detail("the mail server refused it for a time"), for_a_time=True)
    if reply:
        return _not_sent(Detail("the mail server refused it"))
    if isinstance(error, SMTPServerDisconnected | OSError):
        return _not_sent(Detail("the connection to the mail server failed"), for_a_time=True)
    return _not_sent(Detail("unexpected error: {error}", error=type(error).__name__))


def _not_sent(why: Detail, *, for_a_time: bool = False) -> Failure:
    return Failure(ErrorCode.STATEMENT_NOT_SENT, BillingError(ErrorCode.STATEMENT_NOT_SENT, why).message, for_a_time)


def _reply_of(error: Exception) -> int:
    """Return the mail server's reply code (RFC 5321), or 0 without one."""
    if isinstance(error, SMTPRecipientsRefused):
        return max((code for code, _ in error.recipients.values()), default=0)
    return error.smtp_code if isinstance(error, SMTPResponseException) else 0


class ServerDoesNotAnswer(Exception):
    """The mail server does not answer or cannot be reached. No further mail is tried."""


class Mails:
    """One connection to the mail server for all mails of a batch. It is opened again if the server closed it.

    If the server does not answer once, no further mail is tried.
    """

    def __init__(self) -> None:
        self._connection: Any = None
        self._is_silent = False

    def send(self, message: EmailMessage) -> None:
        if self._is_silent:
            raise ServerDoesNotAnswer
        kept = self._connection is not None
        try:
            self._send(message)
        except SMTPServerDisconnected:
            # Mail servers close a connection after many mails, or after a pause.
            if not kept:
                raise
            self._send(message)

    @staticmethod
    def provider_id_of(message: EmailMessage) -> str:
        """Return the id that a mail provider gave the mail, or "" with a plain mail server."""
        status = getattr(message, "anymail_status", None)
        return str(getattr(status, "message_id", None) or "")

    def _send(self, message: EmailMessage) -> None:
        try:
            if self._connection is None:
                self._open()
            message.connection = self._connection
            message.send()
        except Exception as error:
            self.close()
            if _has_timed_out(error):
                self._give_up(error)
            raise

    def _open(self) -> None:
        self._connection = mail.get_connection()
        try:
            self._connection.open()
        except (OSError, SMTPException) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> NoReturn:
        self._is_silent = True
        raise ServerDoesNotAnswer from error

    def close(self) -> None:
        """An error here is ignored: what was sent is sent."""
        connection, self._connection = self._connection, None
        with suppress(Exception):
            if connection is not None:
                connection.close()


def _has_timed_out(error: BaseException) -> bool:
    """smtplib reports a timeout during a mail as a closed connection."""
    return isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)

"""What mail providers report by webhook, through django-anymail. Connected only where e-mails are sent with it."""

import logging
from typing import Any

from anymail.signals import tracking

from accounts.callers import Caller
from billing_site.errors import BillingError
from invoices.services.statements.bounces import Bounce, note_bounce, statement_of

logger = logging.getLogger(__name__)
CAME_BACK = ("bounced", "rejected", "failed")


def connect() -> None:
    tracking.connect(_note, dispatch_uid="statements that came back")


def _note(sender: Any, event: Any, esp_name: str, **kwargs: Any) -> None:
    if event.event_type not in CAME_BACK:
        return
    reason = event.description or event.mta_response or event.reject_reason or ""
    statement = statement_of(Bounce(event.message_id or "", reason))
    if statement is None:
        logger.info("%s reports a mail that is no statement", esp_name)
        return
    try:
        note_bounce(statement, reason, Caller(process="mail"))
    except BillingError as refusal:
        logger.info("%s reports a bounce of statement %s: %s", esp_name, statement.pk, refusal.message)

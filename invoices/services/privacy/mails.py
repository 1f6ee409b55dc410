"""Blank the addresses of statements."""

from typing import Any

from django.db.models import Q, QuerySet

ERASED_ADDRESS = "erased@invalid"
"""What stands for an address that was blanked, so that it is still seen that the statement was sent to one."""


def blank_mails(statements: QuerySet[Any]) -> int:
    """Blank addresses, messages and mail ids of statements, and return of how many."""
    named = statements.order_by().exclude(email=ERASED_ADDRESS).exclude(email="").values_list("pk", flat=True)
    numbers = list(named)
    statements.model._default_manager.filter(pk__in=numbers).update(email=ERASED_ADDRESS)
    rest = statements.order_by().exclude(Q(message="") & Q(message_id="") & Q(provider_id=""))
    return max(len(numbers), rest.update(message="", message_id="", provider_id=""))

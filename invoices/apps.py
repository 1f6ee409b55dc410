from typing import Any

from django.apps import AppConfig

from accounts.signals import plans_changed


class InvoicesConfig(AppConfig):
    name = "invoices"
    verbose_name = "Invoices"

    def ready(self) -> None:
        """Usage follows the plans of its account. The service is imported when it is needed: models are not ready before."""
        plans_changed.connect(_move_usage, dispatch_uid="move usage")


def _move_usage(account_no: int, **signal: Any) -> None:
    from invoices.services.usage_moves import move_usage

    move_usage([account_no])

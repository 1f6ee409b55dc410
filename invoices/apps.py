from importlib.util import find_spec
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import register as register_check
from django.db.models.signals import post_delete, post_save
from django.utils.translation import gettext_lazy as _
from simple_history.signals import post_create_historical_record

from accounts.labels import PLAIN_NAMES
from accounts.signals import plans_changed
from billing_site.common.guards import register_guards
from billing_site.common.labels import translate_labels
from invoices.checks import check_executor, check_pdfs, check_seal_keys, check_webhook_networks


class InvoicesConfig(AppConfig):
    name = "invoices"
    verbose_name = _("Invoices")

    def ready(self) -> None:
        """Register how documents of each kind are issued, move usage when plans change, and note changes of master data.

        Services are imported when they are needed, because models are not ready earlier.
        """
        from invoices.background import register_work
        from invoices.guards import guards
        from invoices.kinds import BILLING_KINDS, InvoiceKind
        from invoices.services.billing.recording import CYCLES
        from invoices.services.correcting.credit_memos import CREDIT_MEMOS
        from invoices.services.correcting.memo_undoing import REVERSALS
        from invoices.services.issuing.issuing import register

        translate_labels(self, PLAIN_NAMES)
        register_guards(guards())
        register_check(check_pdfs, deploy=True)
        register_check(check_seal_keys, deploy=True)
        register_check(check_executor)
        register_check(check_webhook_networks)
        register_work()
        if settings.EXECUTOR == "celery" and find_spec("celery"):
            from invoices.services.work.waking import wake_by
            from invoices.tasks import send

            wake_by(send)
        if "anymail" in settings.INSTALLED_APPS:
            from invoices.mail_events import connect

            connect()
        register(CYCLES, *BILLING_KINDS)
        register(CREDIT_MEMOS, InvoiceKind.CREDIT_MEMO)
        register(REVERSALS, InvoiceKind.REVERSAL)
        plans_changed.connect(_move_usage, dispatch_uid="move usage")
        post_create_historical_record.connect(_note_version, dispatch_uid="note version")
        for name in ("CouponRedemption", "ServiceCredit"):
            model = self.get_model(name)
            post_save.connect(_note_row, sender=model, dispatch_uid=f"note saved {name}")
            post_delete.connect(_note_row, sender=model, dispatch_uid=f"note deleted {name}")


def _move_usage(account_no: int, **signal: Any) -> None:
    from invoices.services.usage.moves import move_usage

    move_usage([account_no])


def _note_version(instance: Any, history_instance: Any, **signal: Any) -> None:
    from invoices.services.planning.out_of_date import note_version

    note_version(instance, history_instance)


def _note_row(instance: Any, **signal: Any) -> None:
    from invoices.services.planning.out_of_date import note_row

    note_row(instance)

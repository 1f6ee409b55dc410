from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from accounts.labels import PLAIN_NAMES
from billing_site.common.labels import translate_labels


class RebillsConfig(AppConfig):
    name = "rebills"
    verbose_name = _("Rebills")

    def ready(self) -> None:
        """Register how rebills are issued, how a requested undo is done, what PDFs of rebills end with, the
        campaigns that workers carry out, and how adjustments of pending documents are applied.

        Services are imported here, because models are not ready earlier.
        """
        from accounts.kinds import GuardedAct
        from invoices.kinds import InvoiceKind
        from invoices.services.correcting.requested_acts import register_act
        from invoices.services.issuing.issuing import register
        from invoices.services.planning.adjusting import register_adjusting
        from invoices.services.printing.pdf import register_appendix
        from invoices.services.work.registry import register as register_work
        from rebills.services.adjusting import adjust_again
        from rebills.services.campaigns.work import CAMPAIGN_WORK
        from rebills.services.explaining import explanation_of
        from rebills.services.issuing import REBILLS
        from rebills.services.undoing import undo_requested

        translate_labels(self, PLAIN_NAMES)
        register(REBILLS, InvoiceKind.REBILL)
        register_work(CAMPAIGN_WORK)
        register_act(GuardedAct.REBILLS, undo_requested)
        register_appendix(InvoiceKind.REBILL, explanation_of)
        register_adjusting(adjust_again)

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from billing_site.common.labels import translate_labels


class RebillsConfig(AppConfig):
    name = "rebills"
    verbose_name = _("Rebills")

    def ready(self) -> None:
        """Register how rebills are issued, and what their PDFs end with.

        Services are imported here, because models are not ready earlier.
        """
        from invoices.kinds import InvoiceKind
        from invoices.services.issuing.issuing import register
        from invoices.services.printing.pdf import register_appendix
        from rebills.services.explaining import explanation_of
        from rebills.services.issuing import REBILLS

        translate_labels(self)
        register(REBILLS, InvoiceKind.REBILL)
        register_appendix(InvoiceKind.REBILL, explanation_of)

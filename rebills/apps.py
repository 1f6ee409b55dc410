from django.apps import AppConfig


class RebillsConfig(AppConfig):
    name = "rebills"
    verbose_name = "Rebills"

    def ready(self) -> None:
        """Register how rebills are issued. Services are imported here, because models are not ready earlier."""
        from invoices.kinds import InvoiceKind
        from invoices.services.issuing.issuing import register
        from rebills.services.issuing import REBILLS

        register(REBILLS, InvoiceKind.REBILL)

from django.apps import AppConfig


class RebillsConfig(AppConfig):
    name = "rebills"
    verbose_name = "Rebills"

    def ready(self) -> None:
        """Says how rebills are issued. The services are imported here: models are not ready before."""
        from invoices.kinds import InvoiceKind
        from invoices.services.issuing.issuing import register
        from rebills.services.issuing import REBILLS

        register(REBILLS, InvoiceKind.REBILL)

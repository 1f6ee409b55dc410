"""CSV files of tax rates and reason codes."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts.admin.files import CLIENT_NO, ClientFile
from invoices.models import ReasonCode, TaxRate


class TaxRateFile(ClientFile):
    """Tax rates, identified by client, name, place, category and first day."""

    class Meta(ClientFile.Meta):
        model = TaxRate
        import_id_fields = ("client_no", "name", "country", "region", "category", "valid_from")
        fields = (*import_id_fields, "percent", "taxed_at", "valid_to")


class ReasonCodeFile(ClientFile):
    """Reason codes. Superusers import reasons without a client, which all clients have; staff import those of their clients."""

    class Meta(ClientFile.Meta):
        model = ReasonCode
        import_id_fields = ("client_no", "type", "code")
        fields = ("client_no", "type", "code", "name", "is_active")

    def client_of(self, number: str) -> int | None:
        if number:
            return super().client_of(number)
        if not self.user.is_superuser:
            raise ValidationError({CLIENT_NO: _("Give the number of one of your clients.")})
        return None

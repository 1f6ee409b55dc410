"""CSV files of accounts and of their contacts."""

from typing import Any

from import_export.fields import Field

from accounts.admin.files import ClientFile, OfClient
from accounts.models import Account, Contact
from accounts.models.identities import BUYER_FIELDS
from accounts.models.places import EXEMPTION_FIELDS
from accounts.services.accounts import create_account

BILLING = ("status", "currency", "is_test", "invoice_approval_required", "payment_terms_days", "language", "bill_day")
PERSON = ("contact_no", "role", "name", "company", "email", "phone")
ADDRESS = ("address1", "address2", "city", "region", "postal_code", "country")


class AccountFile(ClientFile):
    class Meta(ClientFile.Meta):
        model = Account
        import_id_fields = ("client_no", "client_acct_id")
        fields = ("client_no", "client_acct_id", *BILLING, *EXEMPTION_FIELDS, *BUYER_FIELDS)

    def import_instance(self, instance: Any, row: Any, **kwargs: Any) -> None:
        super().import_instance(instance, row, **kwargs)
        if not instance.pk and not row.get("invoice_approval_required"):
            # A new account takes its client's setting.
            instance.invoice_approval_required = instance.client.invoice_approval_required

    def create(self, instance: Any) -> None:
        names = ("client", "client_acct_id", *BILLING, *EXEMPTION_FIELDS, *BUYER_FIELDS)
        instance.pk = create_account(**{name: getattr(instance, name) for name in names}, caller=self.caller).pk


class ContactFile(ClientFile):
    client_no = Field(column_name="client_no", attribute="account__client_id", readonly=True)
    account = Field(column_name="client_acct_id", attribute="account", widget=OfClient(Account, "client_acct_id"))

    class Meta(ClientFile.Meta):
        model = Contact
        import_id_fields = ("account", "contact_no")
        fields = ("client_no", "account", *PERSON, *ADDRESS, *EXEMPTION_FIELDS, *BUYER_FIELDS)

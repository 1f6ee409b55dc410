"""Serializers of reports: receivables, credits, and lines of documents."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.fields import get_attribute

from accounts.models import Account
from billing_site.common.fields import DayField
from invoices.api.serializers.documents import PlainDecimalField
from invoices.api.serializers.money import AmountField, amount_text
from invoices.models import InvoiceLine
from invoices.services.lists.reports.daily_journal import PostedTo


class AsOfArguments(serializers.Serializer):
    """The day that a report is of."""

    as_of = DayField(required=False, help_text=_("The day that the report is of. Left out: now."))


class AgesSerializer(serializers.Serializer):
    """The amounts due in one currency, by age."""

    currency = serializers.CharField()
    current = AmountField(source="ages.current")
    days_30 = AmountField(source="ages.days_30")
    days_60 = AmountField(source="ages.days_60")
    days_90 = AmountField(source="ages.days_90")
    over_90 = AmountField(source="ages.over_90")
    total_due = AmountField(source="ages.total")


class ReceivableSerializer(AgesSerializer):
    """What an account owes, by age."""

    acct_no = serializers.IntegerField(source="account_no")
    client_acct_id = serializers.CharField(allow_blank=True)
    unapplied_credit = AmountField(source="unapplied")
    balance = AmountField()


class ReceivableTotalsSerializer(serializers.Serializer):
    """`today` is the day that the totals are of: `as_of`, or the client's today."""

    today = serializers.DateField()
    totals = AgesSerializer(many=True)


class CreditBalanceSerializer(serializers.Serializer):
    """What an account is owed: payments and credits that pay nothing yet."""

    class Meta:
        model = Account

    acct_no = serializers.IntegerField(source="pk")
    client_acct_id = serializers.CharField(allow_blank=True)
    currency = serializers.CharField()
    unapplied_credit = AmountField(source="unapplied")
    open_invoices = AmountField(source="open")
    balance = AmountField()


class CreditTotalSerializer(serializers.Serializer):
    """What accounts are owed in one currency."""

    currency = serializers.CharField()
    accounts = serializers.IntegerField()
    unapplied_credit = AmountField(source="unapplied")


class CreditTotalsSerializer(serializers.Serializer):
    """`today` is the day that the totals are of: `as_of`, or the client's today."""

    today = serializers.DateField()
    totals = CreditTotalSerializer(many=True)


class PeriodArguments(serializers.Serializer):
    """The days of a report, both included."""

    date_from = DayField(required=False, help_text=_("First day. Left out: the first day of the month of `date_to`."))
    date_to = DayField(required=False, help_text=_("Last day. Left out: the client's today."))


class TaxSumSerializer(serializers.Serializer):
    """The tax of one rate in one month, or in the part of it that is asked for."""

    period_start = serializers.DateField()
    period_end = serializers.DateField()
    currency = serializers.CharField(source="sum.currency")
    jurisdiction = serializers.CharField(source="sum.jurisdiction")
    authority = serializers.CharField(source="sum.authority")
    percent = PlainDecimalField(source="sum.percent")
    vat_category = serializers.CharField(source="sum.vat_category", help_text="Category in UNCL5305.")
    documents = serializers.IntegerField(source="sum.documents")
    taxable_amount = AmountField(source="sum.taxable")
    tax_amount = AmountField(source="sum.tax")


class TaxReportSerializer(serializers.Serializer):
    date_from = serializers.DateField()
    date_to = serializers.DateField()
    rows = TaxSumSerializer(many=True)


class JournalEntrySerializer(serializers.Serializer):
    """What is posted on a day to one account. `code` is the GL code of revenue, the name of a tax, or the type of payments."""

    day = serializers.DateField()
    currency = serializers.CharField()
    account = serializers.ChoiceField([one.value for one in PostedTo], source="account.value")
    code = serializers.CharField(allow_blank=True)
    debit = AmountField()
    credit = AmountField()


class JournalSerializer(serializers.Serializer):
    date_from = serializers.DateField()
    date_to = serializers.DateField()
    rows = JournalEntrySerializer(many=True)


class LineAmountField(serializers.ReadOnlyField):
    """An amount of a line as text, in the precision of its document's currency."""

    def get_attribute(self, instance: Any) -> str | None:
        amount = get_attribute(instance, self.source_attrs)
        return None if amount is None else amount_text(amount, instance.invoice.currency)


class DocumentLineSerializer(serializers.Serializer):
    """A line, with what identifies its document."""

    class Meta:
        model = InvoiceLine

    id = serializers.ReadOnlyField()
    invoice_no = serializers.ReadOnlyField(source="invoice_id")
    document_number = serializers.ReadOnlyField(source="invoice.document_number")
    kind = serializers.ReadOnlyField(source="invoice.kind")
    status = serializers.ReadOnlyField(source="invoice.status")
    acct_no = serializers.ReadOnlyField(source="invoice.account_id")
    client_acct_id = serializers.ReadOnlyField(source="invoice.account.client_acct_id")
    bill_date = serializers.ReadOnlyField(source="invoice.bill_date")
    invoice_date = serializers.ReadOnlyField(source="invoice.invoice_date")
    currency = serializers.ReadOnlyField(source="invoice.currency")
    line_no = serializers.ReadOnlyField()
    line_type = serializers.ReadOnlyField()
    client_service_id = serializers.CharField(source="service.client_service_id", default=None, allow_null=True)
    gl_code = serializers.ReadOnlyField()
    tax_category = serializers.ReadOnlyField()
    description = serializers.ReadOnlyField()
    plan_name = serializers.ReadOnlyField()
    plan_instance = serializers.ReadOnlyField(source="plan_instance_id")
    units = PlainDecimalField()
    rate_per_unit = PlainDecimalField()
    proration_factor = PlainDecimalField()
    amount = LineAmountField()
    period_start = serializers.ReadOnlyField()
    period_end = serializers.ReadOnlyField()
    po_num = serializers.ReadOnlyField()
    source_line_no = serializers.ReadOnlyField()

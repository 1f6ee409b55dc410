"""Documents: an invoice, its lines, taxes and billed periods, and the number series.

A document is a snapshot. It stores everything that explains it, and nothing that is printed changes after approval.
"""

from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length, Substr
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.clock import today
from accounts.kinds import CreditTo, TaxExemption
from accounts.models import Account, Client, Contact, PlanInstance, Service, ServiceLocation
from accounts.models.history import MasterDataHistory
from accounts.vat_categories import VatCategory
from billing_site.common.currencies import Currency, currency_of
from billing_site.common.exact_decimals import ExactDecimalField, UnitsField
from billing_site.common.prefixes import Folded
from invoices.calculation import ZERO
from invoices.document_numbers import DEFAULT_FORMATS, YEAR, Format, could_print_the_same
from invoices.kinds import (
    CORRECTING_KINDS,
    CYCLE_KINDS,
    ISSUED_STATUSES,
    LIVE_STATUSES,
    OFFSETTING_KINDS,
    DocumentState,
    InvoiceKind,
    InvoiceStatus,
    LineType,
    PostingStatus,
    SeriesKind,
    VoidReason,
)
from invoices.models.line_references import LineReferencesModel


class AmountField(models.DecimalField):
    """An amount of money. 15 digits are exact in SQLite's doubles, and 4 of them are decimals for the smallest currency
    units."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "max_digits": 15, "decimal_places": 4})


class NumberSeries(models.Model):
    """A client's gapless numbers for one kind of document. The row is locked only for the last moment of an approval."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="number_series", db_index=False)
    kind = models.CharField(max_length=20, choices=SeriesKind)
    prefix = models.CharField(
        max_length=20,
        blank=True,
        help_text=_(
            "Printed before the number on documents: INV-. Write {yyyy} for the year: INV-{yyyy}-. "
            "The numbers then begin at 1 in each year."
        ),
    )
    suffix = models.CharField(
        max_length=20, blank=True, help_text=_("Printed after the number on documents: -R. It can have {yyyy} too.")
    )
    last_number = models.PositiveBigIntegerField(default=0, editable=False, help_text=_("Last number without a year."))
    year = models.PositiveSmallIntegerField(
        default=0, db_default=0, editable=False, help_text=_("The last year with numbers of its own. 0: none yet.")
    )
    last_of_year = models.PositiveBigIntegerField(
        default=0, db_default=0, editable=False, help_text=_("Last number of that year.")
    )
    history = MasterDataHistory(not_kept=("last_number", "year", "last_of_year"))

    class Meta:
        verbose_name_plural = _("number series")
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["client", "kind"], name="one_series_per_kind")]

    def __str__(self) -> str:
        return gettext("%(kind)s of client %(number)s") % {"kind": self.get_kind_display(), "number": self.client_id}

    def clean(self) -> None:
        """Refuse a prefix and suffix that could print a number that another series can print or that a document already has."""
        if self.client_id is None:
            return
        mine = Format(self.prefix, self.suffix)
        unknown = mine.unknown_parts()
        if unknown:
            raise ValidationError(
                _("%(part)s is not known. Only {yyyy} can be in braces: the year of the document."), params={"part": unknown[0]}
            )
        for kind, other in self._other_formats():
            if could_print_the_same(mine, other):
                example = other.printed(1, today(self.client).year)
                raise ValidationError(
                    _(
                        "The number series %(kind)s has numbers such as %(example)s. Choose another prefix or suffix, "
                        "so that two documents never get the same number."
                    ),
                    params={"kind": SeriesKind(kind).label, "example": example},
                )
        taken = self._document_with_a_number_to_come()
        if taken is not None:
            raise ValidationError(
                _("Document %(number)s already has a number of this series. Choose another prefix or suffix."),
                params={"number": taken},
            )

    def _other_formats(self) -> "list[tuple[str, Format]]":
        """Return the formats of the client's other series. A series that is not stored yet has its default format."""
        rows = NumberSeries.objects.filter(client=self.client_id).values_list("kind", "prefix", "suffix")
        formats = dict(DEFAULT_FORMATS) | {SeriesKind(kind): Format(prefix, suffix) for kind, prefix, suffix in rows}
        return [(kind, format) for kind, format in formats.items() if kind != self.kind]

    def _document_with_a_number_to_come(self) -> str | None:
        """Return a document number printed under an earlier prefix that this series would print later, if any."""
        mine = Format(self.prefix, self.suffix)
        year = max(self.year, today(self.client).year) if mine.has_year else 0
        count = self.last_number if not mine.has_year else self.last_of_year if year == self.year else 0
        last = Format().printed(count)
        before, after = mine.lengths()
        digits = Length("document_number") - before - after
        printed = Invoice.objects.filter(client=self.client_id, document_number__regex=mine.regular_expression())
        parts = printed.annotate(digits=digits).annotate(middle=Substr("document_number", before + 1, digits))
        to_come = Q(digits__gt=len(last)) | Q(digits=len(last), middle__gt=last)
        if mine.has_year:
            parts = parts.annotate(year=self._year_of_document(mine))
            to_come = Q(year__gt=f"{year:04d}") | Q(to_come, year=f"{year:04d}")
        return parts.filter(to_come).order_by("pk").values_list("document_number", flat=True).first()

    @staticmethod
    def _year_of_document(format: Format) -> Substr:
        if YEAR in format.prefix:
            return Substr("document_number", format.prefix.index(YEAR) + 1, 4)
        behind = format.suffix.rpartition(YEAR)[2]
        return Substr("document_number", Length("document_number") - len(behind) - 3, 4)


class Invoice(models.Model):
    """A document of an account. Its primary key is Aria's invoice_no. Its fiscal document_number is assigned at approval.

    `state` is set by `with_states` and `mark_states`: a value of DocumentState.
    """

    state: str
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="invoices", db_index=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="invoices")
    kind = models.CharField(max_length=20, choices=InvoiceKind)
    status = models.CharField(max_length=20, choices=InvoiceStatus)
    corrects = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        related_name="corrected_by",
        help_text=_("The document that this credit memo credits, that this rebill replaces, or that this reversal reverses."),
    )
    chain_root = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        related_name="chain",
        db_index=False,
        help_text=_("First invoice of the chain of corrections of this document. Empty on the first invoice itself."),
    )
    memo = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        related_name="issued_with",
        db_index=False,
        help_text=_("On a rebill: the credit memo that was issued with it."),
    )
    bills_again = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        related_name="billed_again_by",
        db_index=False,
        help_text=_("The voided invoice whose periods this invoice bills again."),
    )
    waived_at = models.DateTimeField(
        null=True, help_text=_("On a voided invoice: time at which staff decided that its periods are not billed again.")
    )
    collect_when_issued = models.BooleanField(
        null=True, help_text=_("Whether the open amount is collected at issue. Empty: the client's setting decides.")
    )
    keeps_due_date = models.BooleanField(
        null=True, help_text=_("Whether a rebill keeps the due date of its original. Empty: the client's setting decides.")
    )
    credit_to = models.CharField(
        max_length=20,
        choices=CreditTo,
        blank=True,
        default="",
        db_default="",
        help_text=_("Where the money goes that the correction frees. Empty: as the client's setting says."),
    )
    statement_contact = models.ForeignKey(
        Contact,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        help_text=_("Contact who gets the statement. Empty: the client's setting decides."),
    )
    reason_code = models.PositiveSmallIntegerField(null=True, help_text=_("Reason for the correction."))
    comments = models.TextField(blank=True, max_length=3000)
    currency = models.CharField(max_length=3)
    bill_date = models.DateField(help_text=_("First day on which this cycle can be billed."))
    bill_day = models.PositiveSmallIntegerField(help_text=_("Bill day that the account gets when this invoice is approved."))
    period_start = models.DateField()
    period_end = models.DateField()
    tax_date = models.DateField(help_text=_("The client's date of generation. The tax rates of this day apply."))
    invoice_date = models.DateField(null=True, help_text=_("Date of issue. Set at approval."))
    payment_terms_days = models.PositiveIntegerField()
    due_date = models.DateField(null=True, help_text=_("Invoice date plus payment terms. Set at approval."))
    seller = models.JSONField(help_text=_("The client's name and address, as printed."))
    bill_to = models.JSONField(help_text=_("The account's billing contact, as printed."))
    tax_basis = models.JSONField(
        null=True,
        help_text=_(
            "Data from which the taxes were calculated: the addresses, the prices that include tax, and the rounding method. "
            "Empty on credit memos and on documents from before this was stored."
        ),
    )
    tax_exemption = models.CharField(
        max_length=20,
        choices=TaxExemption,
        blank=True,
        default="",
        db_default="",
        help_text=_("Why lines without a tax are not taxed: the customer's exemption on the tax date. Empty: not exempt."),
    )
    tax_exemption_reason = models.CharField(
        max_length=200, blank=True, default="", db_default="", help_text=_("Reason for the exemption, as printed.")
    )
    net_amount = AmountField(help_text=_("Total before tax."))
    tax_amount = AmountField(help_text=_("All tax, whether included in prices or added."))
    total_amount = AmountField(help_text=_("Total before tax plus tax: the sum of the lines."))
    open_amount = AmountField(
        default=0,
        db_default=0,
        help_text=_("What is still due on an issued document. Zero on a credit memo, and before issue."),
    )
    series = models.CharField(max_length=20, choices=SeriesKind, blank=True)
    number = models.PositiveBigIntegerField(null=True)
    number_year = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text=_("The year that the number counts in. 0: the series counts through all years.")
    )
    document_number = models.CharField(max_length=50, blank=True)
    fingerprint = models.CharField(
        max_length=300, blank=True, help_text=_("Fingerprint of the stored document, taken at approval.")
    )
    generated_by = models.CharField(
        max_length=60, help_text=_("Who generated it: staff, API key or process. Four eyes compares it with the approver.")
    )
    generated_at = models.DateTimeField()
    generated_on = models.DateField(help_text=_("The client's date of generation."))
    approved_by = models.CharField(max_length=60, blank=True)
    approved_at = models.DateTimeField(null=True)
    custom_status_label = models.CharField(max_length=100, blank=True)
    client_notes = models.TextField(max_length=1000, blank=True)
    posting_status = models.CharField(
        max_length=10,
        choices=PostingStatus,
        default=PostingStatus.UNPOSTED,
        db_default=PostingStatus.UNPOSTED,
        help_text=_("Whether the client's accounting has entered the document."),
    )
    posting_user = models.CharField(
        max_length=60, blank=True, default="", db_default="", help_text=_("Who said that it is posted: staff or API key.")
    )
    posting_at = models.DateTimeField(null=True, help_text=_("Time at which it was marked as posted."))
    void_reason_code = models.PositiveSmallIntegerField(choices=VoidReason, null=True)
    version = models.PositiveIntegerField(
        default=1,
        db_default=1,
        help_text=_("Version of the document: 1 as it was generated, one more each time it was recalculated or adjusted."),
    )

    class Meta:
        ordering = ["-id"]
        permissions = [
            ("generate_invoice", "Can generate invoices"),
            ("approve_invoice", "Can approve, discard and regenerate pending invoices"),
            ("rebill_invoice", "Can rebill issued invoices"),
            ("send_statement", "Can send statements"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(status=InvoiceStatus.PENDING, kind__in=CYCLE_KINDS),
                name="one_pending_invoice_per_account",
            ),
            models.UniqueConstraint(
                fields=["account", "kind", "bill_date"],
                condition=Q(status__in=LIVE_STATUSES, kind__in=CYCLE_KINDS, bills_again__isnull=True),
                name="one_live_invoice_per_bill_date",
            ),
            models.UniqueConstraint(
                fields=["client", "series", "number_year", "number"],
                condition=Q(number__isnull=False),
                name="one_document_per_number",
            ),
            models.UniqueConstraint(
                fields=["client", "document_number"],
                condition=~Q(document_number=""),
                name="one_document_per_printed_number",
            ),
            models.CheckConstraint(
                condition=Q(status__in=[InvoiceStatus.PENDING, InvoiceStatus.DISCARDED], number__isnull=True)
                | Q(status__in=ISSUED_STATUSES, number__isnull=False, invoice_date__isnull=False, due_date__isnull=False),
                name="a_number_from_approval_on",
            ),
            models.CheckConstraint(
                condition=Q(status=InvoiceStatus.VOIDED, void_reason_code__isnull=False)
                | (~Q(status=InvoiceStatus.VOIDED) & Q(void_reason_code__isnull=True)),
                name="a_reason_when_voided",
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=CORRECTING_KINDS) | Q(corrects__isnull=False),
                name="correcting_documents_correct",
            ),
            models.UniqueConstraint(
                fields=["corrects"],
                condition=Q(status__in=LIVE_STATUSES, kind=InvoiceKind.REBILL),
                name="one_live_rebill_per_original",
            ),
            models.CheckConstraint(
                condition=Q(kind=InvoiceKind.REBILL, status__in=ISSUED_STATUSES, memo__isnull=False)
                | (~Q(kind=InvoiceKind.REBILL, status__in=ISSUED_STATUSES) & Q(memo__isnull=True)),
                name="issued_rebills_have_a_memo",
            ),
            models.UniqueConstraint(
                fields=["bills_again"],
                condition=Q(status__in=LIVE_STATUSES, bills_again__isnull=False),
                name="billed_again_once",
            ),
            models.UniqueConstraint(fields=["memo"], condition=Q(memo__isnull=False), name="one_rebill_per_memo"),
            models.UniqueConstraint(fields=["corrects"], condition=Q(kind=InvoiceKind.REVERSAL), name="reversed_once"),
            models.CheckConstraint(
                condition=~Q(kind=InvoiceKind.REVERSAL) | Q(status=InvoiceStatus.APPROVED), name="reversals_stay_issued"
            ),
            models.CheckConstraint(
                condition=Q(open_amount=0)
                | (
                    Q(status=InvoiceStatus.APPROVED, open_amount__gt=0, open_amount__lte=F("total_amount"))
                    & ~Q(kind__in=OFFSETTING_KINDS)
                ),
                name="open_up_to_the_total_of_issued",
            ),
        ]
        indexes = [
            # The approval queue: a client's pending invoices, oldest first.
            models.Index(fields=["client", "id"], condition=Q(status=InvoiceStatus.PENDING), name="pending_of_client"),
            # Pending documents added up by age, kind, currency, flags and creator, from this index alone. Without it, all
            # documents are read, because pending ones are spread among them.
            models.Index(
                fields=[
                    *("client", "currency", "kind", "status", "tax_date"),
                    *("bill_date", "total_amount", "account", "generated_by", "id"),
                ],
                condition=Q(status=InvoiceStatus.PENDING),
                name="pending_sums_of_client",
            ),
            models.Index(
                fields=["client", "total_amount", "id"],
                condition=Q(status=InvoiceStatus.PENDING),
                name="pending_totals_of_client",
            ),
            # Which due accounts are blocked: a voided invoice of their next cycle. Without it, all invoices are searched.
            models.Index(fields=["account", "bill_date"], condition=Q(status=InvoiceStatus.VOIDED), name="voided_of_account"),
            # Lists of a client's documents in these orders.
            models.Index(fields=["client", "id"], name="documents_of_client"),
            models.Index(fields=["client", "bill_date", "id"], name="bill_dates_of_client"),
            models.Index(fields=["client", "due_date", "id"], name="due_dates_of_client"),
            models.Index(fields=["client", "total_amount", "id"], name="totals_of_client"),
            models.Index(fields=["client", "invoice_date", "id"], name="invoice_dates_of_client"),
            models.Index(fields=["client", "open_amount", "id"], name="open_amounts_of_client"),
            # Lists of rebills, memos and other documents of a kind that is rare among a client's invoices.
            models.Index(fields=["client", "kind", "id"], condition=~Q(kind=InvoiceKind.RECURRING), name="kinds_of_client"),
            models.Index(
                fields=["client", "total_amount", "id"], condition=Q(kind=InvoiceKind.REBILL), name="rebill_totals_of_client"
            ),
            # The search of lists.
            models.Index("client", Folded("document_number"), condition=~Q(document_number=""), name="document_numbers_begin"),
            models.Index(
                "client", Folded("custom_status_label"), condition=~Q(custom_status_label=""), name="custom_statuses_begin"
            ),
            models.Index(fields=["chain_root"], condition=Q(chain_root__isnull=False), name="documents_of_chain"),
            # What is open, by its due date: totals by age, the overdue, and what is collected next, from this index alone.
            models.Index(
                fields=["client", "due_date", "id", "currency", "open_amount"],
                condition=Q(open_amount__gt=0),
                name="open_of_client",
            ),
            models.Index(fields=["account", "id"], condition=Q(open_amount__gt=0), name="open_of_account"),
        ]

    def __str__(self) -> str:
        return self.document_number or f"{self.get_status_display()} {self.pk}"

    @property
    def billing_currency(self) -> Currency:
        """The currency as the document's amounts are calculated in it. `currency` is its code."""
        return currency_of(self.currency)

    @property
    def state_label(self) -> str:
        """The document's one state, in the reader's language. Only for documents whose `state` was read."""
        return str(DocumentState(self.state).label)

    @property
    def amount_due(self) -> Decimal | None:
        """What is still due on an issued document, voided ones included; None where nothing is ever owed: on a credit memo,
        and before issue."""
        return self.open_amount if self._is_owed else None

    @property
    def amount_paid(self) -> Decimal:
        """What payments and credits have covered of an issued document's total; zero where nothing is ever owed."""
        return self.total_amount - self.open_amount if self._is_owed else ZERO

    @property
    def _is_owed(self) -> bool:
        return self.status in ISSUED_STATUSES and self.kind not in OFFSETTING_KINDS


# Parts of a document are written before it, in one transaction (`issue` says why), and nothing deletes documents. So the
# database does not check that their document exists: the audit does (audit/parts.py).


class InvoiceLine(LineReferencesModel):
    """One line, with the terms of its amount: rate x units x proration factor, or a percent of a base, rounded once.

    A line without rate and percent has an explanation, for example an amount off, or an addition up to a minimum.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="lines", db_index=False, db_constraint=False)
    line_no = models.PositiveIntegerField(help_text=_("From 1."))
    line_type = models.PositiveSmallIntegerField(choices=LineType)
    service = models.ForeignKey(Service, on_delete=models.PROTECT, null=True, related_name="+")
    plan_instance = models.ForeignKey(PlanInstance, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    description = models.CharField(max_length=200)
    plan_name = models.CharField(max_length=200, blank=True)
    gl_code = models.CharField(max_length=50, blank=True)
    tax_category = models.CharField(max_length=50, blank=True)
    units = UnitsField(null=True)
    rate_per_unit = ExactDecimalField(max_digits=20, decimal_places=10, null=True)
    unit_code = models.CharField(
        max_length=4,
        blank=True,
        default="",
        db_default="",
        help_text=_("What the units are: a code of UNECE Recommendation 20. Empty: pieces."),
    )
    price_units = UnitsField(null=True, help_text=_("Number of units whose price an electronic invoice names. Empty: 1."))
    list_rate_per_unit = ExactDecimalField(
        max_digits=20,
        decimal_places=10,
        null=True,
        help_text=_("The list price, if a customer price replaced it."),
    )
    rate_schedule_no = models.PositiveBigIntegerField(
        null=True, help_text=_("The price that applied. It may be deleted since.")
    )
    tier_no = models.PositiveIntegerField(null=True, help_text=_("Number of the band of a tiered or volume price, from 1."))
    tier_from = UnitsField(null=True, help_text=_("The band covers units above this number."))
    tier_to = UnitsField(null=True, help_text=_("Last unit of the band. Empty: no end."))
    percent = models.DecimalField(max_digits=9, decimal_places=6, null=True, help_text=_("Percent of a surcharge or coupon."))
    base_amount = AmountField(null=True, help_text=_("Amount that the percent applies to."))
    explanation = models.CharField(max_length=200, blank=True, help_text=_("Explanation that is not in the other columns."))
    order_no = models.PositiveBigIntegerField(null=True, help_text=_("The one-time charge billed by this line."))
    coupon_code = models.CharField(max_length=50, blank=True)
    source_line_no = models.PositiveIntegerField(null=True, help_text=_("Line number on the corrected document."))
    comments = models.CharField(max_length=200, blank=True, help_text=_("Why the rebill changes the line."))
    proration_factor = models.DecimalField(max_digits=12, decimal_places=10, default=1)
    proration_text = models.CharField(max_length=100, blank=True)
    period_total_days = models.PositiveIntegerField(null=True, help_text=_("Number of days of the full period."))
    proration_remaining_days = models.PositiveIntegerField(
        null=True, help_text=_("Number of days from the line's first day to the last day of the full period.")
    )
    amount = AmountField()
    period_start = models.DateField(null=True)
    period_end = models.DateField(null=True)
    po_num = models.CharField(max_length=1000, blank=True)
    is_return = models.BooleanField(
        default=False,
        db_default=False,
        help_text=_("A return that is taxed itself, because no line of its tax category can take it."),
    )
    bill_from_location = models.ForeignKey(
        ServiceLocation, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    ship_from_location = models.ForeignKey(
        ServiceLocation, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    bill_to_contact = models.ForeignKey(Contact, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    ship_to_contact = models.ForeignKey(Contact, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        ordering = ["invoice", "line_no"]
        constraints = [models.UniqueConstraint(fields=["invoice", "line_no"], name="one_line_per_number")]
        # The search. Most lines have no PO number.
        indexes = [models.Index(Folded("po_num"), condition=~Q(po_num=""), name="line_po_nums_begin")]

    def __str__(self) -> str:
        return f"{self.line_no}. {self.description}"


class CreditDetail(models.Model):
    """The part of a credit line (coupon, service credit, amount above a maximum) that reduces one charge line.

    The charge line is taxed on the remainder, which is never negative.
    """

    invoice = models.ForeignKey(
        Invoice, on_delete=models.CASCADE, related_name="credit_details", db_index=False, db_constraint=False
    )
    credit_line_no = models.PositiveIntegerField()
    credited_line_no = models.PositiveIntegerField()
    amount = AmountField(help_text=_("Above zero."))

    class Meta:
        ordering = ["invoice", "credit_line_no", "credited_line_no"]
        constraints = [
            models.UniqueConstraint(
                fields=["invoice", "credit_line_no", "credited_line_no"], name="one_credit_detail_per_pair"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="credit_detail_has_an_amount"),
        ]

    def __str__(self) -> str:
        shown = {"credit": self.credit_line_no, "credited": self.credited_line_no}
        return gettext("line %(credit)s on line %(credited)s") % shown


class LineBasis(models.Model):
    """What lines of a document were calculated from, so that a correction can recalculate them.

    A row has the price of a charge with its units or, without a plan instance, what a surcharge, coupon or service credit
    covers. It is not part of the fingerprint, because older documents do not have it. `terms` is read as a whole by
    `invoices/basis.py`.
    """

    invoice = models.ForeignKey(
        Invoice, on_delete=models.CASCADE, related_name="line_bases", db_index=False, db_constraint=False
    )
    place = models.PositiveIntegerField(help_text=_("From 1."))
    plan_instance = models.ForeignKey(PlanInstance, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    service = models.ForeignKey(Service, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    line_type = models.PositiveSmallIntegerField(choices=LineType, null=True)
    period_start = models.DateField(null=True)
    period_end = models.DateField(null=True)
    terms = models.JSONField()

    class Meta:
        verbose_name_plural = _("line bases")
        ordering = ["invoice", "place"]
        constraints = [models.UniqueConstraint(fields=["invoice", "place"], name="one_line_basis_per_place")]

    def __str__(self) -> str:
        return gettext("%(place)s. of invoice %(number)s") % {"place": self.place, "number": self.invoice_id}


class TaxDetail(models.Model):
    """The amount of one tax on one line. It links a tax line of the invoice to a taxed line."""

    invoice = models.ForeignKey(
        Invoice, on_delete=models.CASCADE, related_name="tax_details", db_index=False, db_constraint=False
    )
    tax_line_no = models.PositiveIntegerField()
    taxed_line_no = models.PositiveIntegerField()
    authority = models.CharField(max_length=100, help_text=_("Name of the tax."))
    authority_level = models.PositiveSmallIntegerField(help_text=_("0: country. 1: state or province."))
    jurisdiction = models.CharField(max_length=60, help_text=_("Country and region, such as US-CA."))
    percent = models.DecimalField(max_digits=9, decimal_places=6)
    is_inclusive = models.BooleanField(help_text=_("The amount of the line includes the tax."))
    taxable_amount = AmountField(help_text=_("Amount on which the tax is calculated, without the tax."))
    amount = AmountField()
    vat_category = models.CharField(
        max_length=2,
        choices=VatCategory,
        blank=True,
        default="",
        db_default="",
        help_text=_("Category in the European standard for invoices (UNCL5305). Empty on documents from before it was stored."),
    )
    exemption_reason = models.CharField(
        max_length=200, blank=True, default="", db_default="", help_text=_("The law's text for a rate of 0 percent.")
    )

    class Meta:
        ordering = ["invoice", "tax_line_no", "taxed_line_no"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "tax_line_no", "taxed_line_no"], name="one_tax_detail_per_pair")
        ]

    def __str__(self) -> str:
        return gettext("%(authority)s on line %(line)s") % {"authority": self.authority, "line": self.taxed_line_no}


class BilledPeriod(models.Model):
    """The days of a plan instance that a document bills, with a line, or without one if the plan charges nothing.

    Approval updates the instance's billed_through from it. An audit checks that no day of an instance is billed twice.
    """

    invoice = models.ForeignKey(
        Invoice, on_delete=models.CASCADE, related_name="billed_periods", db_index=False, db_constraint=False
    )
    plan_instance = models.ForeignKey(PlanInstance, on_delete=models.PROTECT, related_name="billed_periods")
    start_date = models.DateField()
    end_date = models.DateField()

    class Meta:
        ordering = ["invoice", "plan_instance"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "plan_instance"], name="one_period_per_invoice_and_plan_instance")
        ]

    def __str__(self) -> str:
        return gettext("%(start)s to %(end)s") % {"start": self.start_date, "end": self.end_date}

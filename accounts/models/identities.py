"""Columns that identify a company: tax id, registration, electronic address."""

from collections.abc import Callable, Collection
from pathlib import PurePath
from typing import Any

from django.core.exceptions import ValidationError
from django.core.files.storage import Storage, storages
from django.core.validators import RegexValidator, URLValidator
from django.db import models
from django.db.models.fields.files import FieldFile
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from PIL import Image

from accounts import company_numbers, tax_currencies, unit_codes
from accounts.kinds import BuyerEInvoice
from accounts.models.places import CountryField


class TidyField(models.CharField):
    """A text that is stored in one spelling. `tidy` returns that spelling, or refuses the text."""

    tidy: Callable[[str], str]

    def clean(self, value: Any, model_instance: Any) -> Any:
        given: str = super().clean(value, model_instance)
        return type(self).tidy(given) if given else given


class TaxIdField(TidyField):
    tidy = staticmethod(company_numbers.tax_id)


class TaxIdsField(TidyField):
    tidy = staticmethod(company_numbers.tax_ids)


class IbanField(TidyField):
    tidy = staticmethod(company_numbers.iban_number)


class BicField(TidyField):
    tidy = staticmethod(company_numbers.bic_number)


class CreditorIdField(TidyField):
    tidy = staticmethod(company_numbers.creditor_id)


class MandateField(TidyField):
    tidy = staticmethod(company_numbers.mandate_reference)


class CardDigitsField(TidyField):
    tidy = staticmethod(company_numbers.card_digits)


class ElectronicSchemeField(TidyField):
    tidy = staticmethod(company_numbers.electronic_scheme)


class UnitCodeField(TidyField):
    tidy = staticmethod(unit_codes.unit_code)


class ItemNumberField(TidyField):
    tidy = staticmethod(company_numbers.item_number)


class PartyNumberField(TidyField):
    tidy = staticmethod(company_numbers.party_number)


class PartyNumbersField(TidyField):
    tidy = staticmethod(company_numbers.party_numbers)


class RegistrationSchemeField(TidyField):
    tidy = staticmethod(company_numbers.registration_scheme)


class ClassificationsField(TidyField):
    tidy = staticmethod(company_numbers.classifications)


class ObjectReferenceField(TidyField):
    tidy = staticmethod(company_numbers.object_reference)


class ExchangeRatesField(TidyField):
    tidy = staticmethod(tax_currencies.exchange_rates)


class LinkField(models.URLField):
    """An address that people open. A form takes one without a scheme for an address of https."""

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"assume_scheme": "https", **kwargs})

    def deconstruct(self) -> Any:
        """For migrations it is a URLField: the column is the same."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.URLField", args, kwargs


LARGEST_LOGO = 2_000_000
MOST_PIXELS = 4000
"""The largest width and height of a logo. A small file can be a large image, which takes much memory to print."""
LOGO_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg"}


def document_storage() -> Storage:
    """Return the storage of documents and logos: the setting STORAGES["documents"]."""
    return storages["documents"]


def logo_name(client: Any, name: str) -> str:
    return f"logos/{PurePath(name).name}"


def validate_logo(logo: Any) -> None:
    """Refuse a logo that no document could be printed with. One that is stored was checked when it was uploaded."""
    if getattr(logo, "_committed", False):
        return
    if logo.size > LARGEST_LOGO:
        raise ValidationError(_("The logo is larger than 2 MB."))
    try:
        with Image.open(logo) as image:
            kind, size = image.format, image.size
            image.verify()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        kind, size = None, (0, 0)
    finally:
        logo.seek(0)
    if kind not in LOGO_TYPES:
        raise ValidationError(_("The logo is not a PNG or JPEG image."))
    if max(size) > MOST_PIXELS:
        raise ValidationError(_("The logo has more than 4,000 pixels on a side. Make it smaller."))


class LogoFile(FieldFile):
    """A logo. Its address is a page with rights, because the storage of documents is not public."""

    @property
    def url(self) -> str:
        return reverse("admin:accounts_client_logo", args=[self.instance.pk])


class LogoField(models.FileField):
    attr_class = LogoFile

    def deconstruct(self) -> Any:
        """The database sees no difference to another file."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.FileField", args, kwargs


def _text(help_text: Any, field: type[models.CharField] = models.CharField, *, length: int = 100) -> Any:
    """Return a column for a text that may be empty. Rows from before it are empty too."""
    return field(max_length=length, blank=True, default="", db_default="", help_text=help_text)


class CompanyModel(models.Model):
    """The names of a company in registers and networks."""

    registration_number = models.CharField(
        max_length=50,
        blank=True,
        default="",
        db_default="",
        help_text=_("Number in the commercial register, or another legal registration."),
    )
    registration_scheme = _text(
        _("Scheme of the registration number, a code of the list ICD: 0002 for a SIREN, 0060 for a DUNS number."),
        RegistrationSchemeField,
        length=4,
    )
    electronic_scheme = ElectronicSchemeField(
        max_length=20,
        blank=True,
        default="",
        db_default="",
        help_text=_("Scheme of the electronic address, a code of the list CEF EAS: 0088 for a GLN, 9930 for a German tax id."),
    )
    electronic_address = models.CharField(
        max_length=100,
        blank=True,
        default="",
        db_default="",
        help_text=_("Address for electronic invoices, such as the Peppol participant id."),
    )

    class Meta:
        abstract = True

    def clean(self) -> None:
        super().clean()
        if self.registration_scheme and not self.registration_number:
            raise ValidationError({"registration_number": _("Give the registration number of this scheme.")})
        self._check_digits("registration_number", self.registration_scheme)
        if bool(self.electronic_scheme) != bool(self.electronic_address):
            missing = "electronic_address" if self.electronic_scheme else "electronic_scheme"
            raise ValidationError({missing: _("Give the electronic address together with its scheme.")})
        self._check_digits("electronic_address", self.electronic_scheme)

    def _check_digits(self, name: str, scheme: str) -> None:
        number = getattr(self, name)
        if company_numbers.broken_address_rule(scheme, number):
            text = _("%(value)s is not a valid number of the scheme %(scheme)s. Check its digits.")
            raise ValidationError({name: ValidationError(text, params={"value": number, "scheme": scheme})})


class BuyerModel(CompanyModel):
    """How a customer is named on documents."""

    tax_id = TaxIdField(
        max_length=50,
        blank=True,
        default="",
        db_default="",
        help_text=_("The customer's tax id, beginning with its country: DE136695976."),
    )
    buyer_reference = models.CharField(
        max_length=100,
        blank=True,
        default="",
        db_default="",
        help_text=_("Reference that the customer wants on documents, such as a routing id."),
    )
    e_invoice_profile = models.CharField(
        max_length=10,
        choices=BuyerEInvoice,
        blank=True,
        default="",
        db_default="",
        help_text=_(
            "Rules of this customer's electronic invoices. XRechnung and Peppol are sent as UBL. Empty: the client's setting."
        ),
    )
    party_number = _text(
        _("Number by which the customer is known, such as a GLN: 0088:4000001123452. Empty: the number of the account."),
        PartyNumberField,
    )
    accounting_reference = _text(_("Where the customer books the document: a cost centre or an account."))
    contract_reference = _text(_("Number of the contract that documents name."))
    project_reference = _text(_("Number of the customer's project that documents name."))
    tender_reference = _text(_("Number of the call for tenders or lot that documents name."))
    object_reference = _text(
        _("Number of what is invoiced, such as a meter: AVE:12345. The letters are a code of the list UNTDID 1153."),
        ObjectReferenceField,
    )
    sales_order_reference = _text(_("Your number of the customer's order. Documents name it until you empty it."))
    despatch_reference = _text(_("Number of the delivery note. Documents name it until you empty it."))
    receiving_reference = _text(_("Number of the customer's receipt of goods. Documents name it until you empty it."))
    supporting_reference = _text(
        _("Number of a document behind the invoice, such as a timesheet. Documents name it until you empty it.")
    )
    supporting_description = _text(_("What that document is, such as Timesheet of January."))
    supporting_link = LinkField(
        max_length=300,
        blank=True,
        default="",
        db_default="",
        validators=[URLValidator(schemes=("https", "http"))],
        help_text=_("Address where the customer finds that document."),
    )
    delivery_name = _text(_("Who is delivered to, if it is not the customer."))
    delivery_location = _text(_("Number of the place of delivery, such as a GLN: 0088:4000001123452."), PartyNumberField)

    class Meta:
        abstract = True

    def clean(self) -> None:
        super().clean()
        if (self.supporting_description or self.supporting_link) and not self.supporting_reference:
            raise ValidationError({"supporting_reference": _("Give the number of the document that is described.")})


class SellerModel(CompanyModel):
    """What a billing company prints besides its name and address."""

    legal_name = models.CharField(
        max_length=200,
        blank=True,
        default="",
        db_default="",
        help_text=_("Full legal name, printed on documents. Empty: the name."),
    )
    tax_ids = TaxIdsField(
        max_length=500,
        blank=True,
        default="",
        db_default="",
        help_text=_(
            "Tax ids, one for each country, separated by commas: DE136695976, ATU57194903. A document has the tax id of "
            "the customer's country, else that of the client's own country, else the first one."
        ),
    )
    contact_name = models.CharField(
        max_length=100,
        blank=True,
        default="",
        db_default="",
        help_text=_("Person or department that customers can ask about invoices. Named in electronic invoices."),
    )
    contact_phone = models.CharField(
        max_length=50, blank=True, default="", db_default="", help_text=_("Its phone number, for electronic invoices.")
    )
    contact_email = models.EmailField(
        blank=True, default="", db_default="", help_text=_("Its e-mail address, for electronic invoices.")
    )
    legal_text = models.TextField(
        max_length=1000,
        blank=True,
        default="",
        db_default="",
        help_text=_("Printed at the foot of documents: legal form, register, directors."),
    )
    bank_name = models.CharField(
        max_length=100, blank=True, default="", db_default="", help_text=_("Bank that customers transfer money to.")
    )
    iban = IbanField(
        _("IBAN"),
        max_length=50,
        blank=True,
        default="",
        db_default="",
        help_text=_("Bank account that customers transfer money to."),
    )
    bic = BicField(_("BIC"), max_length=20, blank=True, default="", db_default="")
    creditor_id = _text(
        _("Number by which banks know you when you collect by direct debit (SEPA): DE98ZZZ09999999999."),
        CreditorIdField,
        length=35,
    )

    party_numbers = _text(
        _("Numbers by which customers know you, separated by commas: 0088:4000001123452, 4711."), PartyNumbersField, length=300
    )
    tax_number = _text(_("Number that the tax office at home knows you by, beside the tax id: 21/815/08150."), length=50)
    payee_name = _text(_("Who is paid, if it is not you: a factor, or a company of your group."))
    payee_number = _text(_("Number of the payee, such as a GLN: 0088:4000001123452."), PartyNumberField)
    payee_registration_number = _text(_("The payee's number in the commercial register."), length=50)
    representative_name = _text(_("Your tax representative, who pays the VAT for you."))
    representative_tax_id = _text(_("Tax id of the tax representative."), TaxIdField, length=50)
    representative_address1 = _text(_("Street of the tax representative."), length=200)
    representative_postal_code = _text(_("Postal code of the tax representative."), length=20)
    representative_city = _text(_("City of the tax representative."))
    representative_country = _text(_("Country of the tax representative, by two letters."), CountryField, length=2)

    logo = LogoField(
        upload_to=logo_name,
        storage=document_storage,
        blank=True,
        default="",
        db_default="",
        validators=[validate_logo],
        help_text=_("Printed at the top of PDFs: PNG or JPEG, at most 2 MB."),
    )
    document_color = models.CharField(
        max_length=7,
        blank=True,
        default="",
        db_default="",
        validators=[RegexValidator("^#[0-9a-fA-F]{6}$", _("Give a colour such as #1a5fb4."))],
        help_text=_("Colour of headings on PDFs, such as #1a5fb4. Empty: black."),
    )

    class Meta:
        abstract = True

    def clean(self) -> None:
        super().clean()
        if self.bic and not self.iban:
            raise ValidationError({"iban": _("Give the IBAN of the account at this bank.")})
        self._check_whole(PAYEE_FIELDS, PAYEE_FIELDS[:1])
        self._check_whole(REPRESENTATIVE_FIELDS, ("representative_name", "representative_tax_id", "representative_country"))

    def _check_whole(self, names: Collection[str], needed: Collection[str]) -> None:
        """Refuse a party of which the parts that electronic invoices need are missing."""
        missing = [name for name in needed if not getattr(self, name)]
        if missing and any(getattr(self, name) for name in names):
            raise ValidationError(dict.fromkeys(missing, _("Give this too, or leave all of this party empty.")))


BUYER_FIELDS = (
    "tax_id",
    "registration_number",
    "electronic_scheme",
    "electronic_address",
    "buyer_reference",
    "e_invoice_profile",
    "registration_scheme",
    "party_number",
    "accounting_reference",
    "contract_reference",
    "project_reference",
    "tender_reference",
    "object_reference",
    "sales_order_reference",
    "despatch_reference",
    "receiving_reference",
    "supporting_reference",
    "supporting_description",
    "supporting_link",
    "delivery_name",
    "delivery_location",
)
PAYEE_FIELDS = ("payee_name", "payee_number", "payee_registration_number")
REPRESENTATIVE_FIELDS = (
    "representative_name",
    "representative_tax_id",
    "representative_address1",
    "representative_postal_code",
    "representative_city",
    "representative_country",
)
PAYER_FIELDS = ("mandate_reference", "debited_account", "card_digits", "card_network", "card_holder")
"""What documents store of the payment method by which an account is collected."""
SELLER_FIELDS = (
    "legal_name",
    "registration_number",
    "registration_scheme",
    "party_numbers",
    "tax_number",
    *PAYEE_FIELDS,
    *REPRESENTATIVE_FIELDS,
    "legal_text",
    "bank_name",
    "iban",
    "bic",
    "creditor_id",
    "electronic_scheme",
    "electronic_address",
    "contact_name",
    "contact_phone",
    "contact_email",
)
"""What documents store of a client, besides its name, address, and the tax id of the document's country."""

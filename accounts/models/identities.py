"""Columns that identify a company: tax id, registration, electronic address."""

from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from django.core.exceptions import ValidationError
from django.core.files.storage import Storage, storages
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.fields.files import FieldFile
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from PIL import Image

from accounts import company_numbers


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


class ElectronicSchemeField(TidyField):
    tidy = staticmethod(company_numbers.electronic_scheme)


LARGEST_LOGO = 2_000_000
LOGO_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg"}


def document_storage() -> Storage:
    """Return the storage of documents and logos: the setting STORAGES["documents"]."""
    return storages["documents"]


def logo_name(client: Any, name: str) -> str:
    return f"logos/{PurePath(name).name}"


def validate_logo(logo: Any) -> None:
    """Refuse a logo that no document could be printed with."""
    if logo.size > LARGEST_LOGO:
        raise ValidationError(_("The logo is larger than 2 MB."))
    try:
        with Image.open(logo) as image:
            kind = image.format
    except (OSError, Image.DecompressionBombError):
        kind = None
    if kind not in LOGO_TYPES:
        raise ValidationError(_("The logo is not a PNG or JPEG image."))


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


class CompanyModel(models.Model):
    """The names of a company in registers and networks."""

    registration_number = models.CharField(
        max_length=50,
        blank=True,
        default="",
        db_default="",
        help_text=_("Number in the commercial register, or another legal registration."),
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
        if bool(self.electronic_scheme) != bool(self.electronic_address):
            missing = "electronic_address" if self.electronic_scheme else "electronic_scheme"
            raise ValidationError({missing: _("Give the electronic address together with its scheme.")})


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

    class Meta:
        abstract = True


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


BUYER_FIELDS = ("tax_id", "registration_number", "electronic_scheme", "electronic_address", "buyer_reference")
SELLER_FIELDS = (
    "legal_name",
    "registration_number",
    "legal_text",
    "bank_name",
    "iban",
    "bic",
    "electronic_scheme",
    "electronic_address",
)
"""What documents store of a client, besides its name, address, and the tax id of the document's country."""

"""What a line of a document refers to, as it is entered with a charge and kept on its line."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.identities import ObjectReferenceField

REFERENCE_LENGTH = 100


class LineReferencesModel(models.Model):
    """The line of the customer's order, where the customer books the line, and what it is for."""

    order_line = models.CharField(
        max_length=REFERENCE_LENGTH,
        blank=True,
        default="",
        db_default="",
        help_text=_("Number of the line on the customer's order."),
    )
    accounting_reference = models.CharField(
        max_length=REFERENCE_LENGTH,
        blank=True,
        default="",
        db_default="",
        help_text=_("Where the customer books the line: a cost centre or an account."),
    )
    object_reference = ObjectReferenceField(
        max_length=REFERENCE_LENGTH,
        blank=True,
        default="",
        db_default="",
        help_text=_(
            "Number of what the line is for, such as a meter: AVE:12345. The letters are a code of the list UNTDID 1153."
        ),
    )

    class Meta:
        abstract = True

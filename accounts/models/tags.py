"""Tags of a row: words of staff, stored in one text in one spelling."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

SEPARATOR = ", "


def tags_in(text: str) -> list[str]:
    """Return the tags of a text, each once whatever its case, in order of the alphabet."""
    found: dict[str, str] = {}
    for part in text.split(","):
        tag = " ".join(part.split())
        if tag:
            found.setdefault(tag.casefold(), tag)
    return [found[key] for key in sorted(found)]


class TagsField(models.CharField):
    """Tags, separated by commas. Stored in order of the alphabet, each once: press, reseller."""

    def clean(self, value: Any, model_instance: Any) -> Any:
        tidy = SEPARATOR.join(tags_in(value or ""))
        if "\n" in (value or ""):
            raise ValidationError(_("Separate tags by commas."))
        return super().clean(tidy, model_instance)


def tagged(tag: str, column: str = "tags") -> Q:
    """Select rows that have a tag, in any case."""
    tag = " ".join(tag.split())
    alone, first = Q(**{f"{column}__iexact": tag}), Q(**{f"{column}__istartswith": f"{tag}{SEPARATOR}"})
    last, between = f"{SEPARATOR}{tag}", f"{SEPARATOR}{tag}{SEPARATOR}"
    return ~Q(**{column: ""}) & (alone | first | Q(**{f"{column}__iendswith": last}) | Q(**{f"{column}__icontains": between}))

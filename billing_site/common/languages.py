"""The languages of pages and statements. What is stored, and what programs are answered, is in English."""

from django.db import models
from django.utils.translation import get_language, override
from django.utils.translation import gettext_lazy as _

ENGLISH = "en"


class Language(models.TextChoices):
    """A language of the pages and statements. Each but English has its texts in locale/."""

    ENGLISH = ENGLISH, _("English")
    GERMAN = "de", _("German")


def in_english(text: object) -> str:
    """Return a text for a record that is stored, or for a program: in English, whoever is served at the moment."""
    with override(ENGLISH):
        return str(text)


def within_sentence(label: object) -> str:
    """Return a label as it is written within a sentence: in English its nouns begin with a small letter, in German not."""
    text = str(label)
    return text.lower() if (get_language() or ENGLISH).startswith(ENGLISH) else text

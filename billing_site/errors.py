"""Refusals: the exception that carries a row of the table of errors, and what it says about its case, for programs in English
and for pages in the reader's language. Imports only the table and the words of pages."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Self

from babel.dates import format_date
from django.utils.formats import number_format
from django.utils.translation import get_language, gettext, to_locale

from billing_site.error_codes import NUMBERED, ErrorCode
from billing_site.page_words import PAGE_WORDS

__all__ = [
    "LONGEST_MESSAGE",
    "NO_WORDS",
    "NUMBERED",
    "RETRY_AFTER_SECONDS",
    "BillingError",
    "Detail",
    "ErrorCode",
    "PendingAct",
    "error_from_event",
    "listed",
    "message_of",
    "recorded",
    "shown_detail",
    "shown_message",
    "storable_message",
    "stored_detail",
    "word",
]

LONGEST_MESSAGE = 2000

RETRY_AFTER_SECONDS = 5
"""The Retry-After header of an answer with HTTP status 503."""


def storable_message(message: str) -> str:
    """Return a message that can be stored and sent: at most 2,000 characters, without half surrogate pairs and NUL.

    A message may quote input. JSON can carry such characters, UTF-8 and PostgreSQL cannot.
    """
    return message[:LONGEST_MESSAGE].encode("utf-8", "replace").decode().replace("\0", "?")


def _explained(message: str, detail: str) -> str:
    """Add the detail to the first sentence, which says what is wrong. The other sentences say what to do next."""
    if not detail:
        return message
    wrong, _, next_step = message.partition(". ")
    explained = f"{wrong.rstrip('.')}: {detail}"
    return f"{explained.rstrip('.')}. {next_step}" if next_step else explained


class Detail(str):
    """What a refusal says about its case: Detail("invoice {invoice_no} is open", invoice_no=7).

    As a string it is English: this is what is stored and what programs are answered. `shown` is for pages, in the reader's
    language. The catalogues have the texts; values are written as they are, except numbers with decimals, days, and those that
    are details themselves.
    """

    text: str
    values: Mapping[str, object]

    def __new__(cls, text: str, **values: str | int | date | Decimal | None) -> Self:
        detail = super().__new__(
            cls, text.format(**{name: _in_digits(value) for name, value in values.items()}) if values else text
        )
        detail.text, detail.values = text, values
        return detail

    @property
    def shown(self) -> str:
        text = gettext(_page_text(self.text)) if self.text else ""
        return text.format(**{name: shown_detail(value) for name, value in self.values.items()}) if self.values else text

    def written_as(self, text: str) -> Self:
        """Return the same detail with another text in English: the one that was recorded."""
        detail = str.__new__(type(self), text)
        detail.__dict__.update(self.__dict__)
        return detail

    @property
    def parts(self) -> dict[str, Any]:
        """The text and its values, as JSON can store them."""
        values = {name: value.parts if isinstance(value, Detail) else _storable(value) for name, value in self.values.items()}
        return {"text": storable_message(self.text), "values": values}


def _in_digits(value: object) -> object:
    """Return a decimal in all its digits, where Python would write an exponent, and any other value as it is."""
    return f"{value:f}" if isinstance(value, Decimal) else value


def word(text: str) -> Detail:
    """Return a word of a fixed list, such as a status, as a part of a detail. The list marks its words for the catalogues."""
    return Detail(text)


def listed(texts: Iterable[str], between: str = ", ") -> Detail:
    """Return details and other texts as one detail, in their order."""
    values = {f"text_{place}": text for place, text in enumerate(texts)}
    return Detail(between.join(f"{{{name}}}" for name in values), **values)


def shown_detail(value: object) -> Any:
    """Return a detail in the reader's language, a decimal with the language's point, a day as the language writes it, and any
    other value as it is."""
    if isinstance(value, Decimal):
        return number_format(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return format_date(value, "medium", locale=to_locale(get_language() or "en"))
    return value.shown if isinstance(value, Detail) else value


def _storable(value: object) -> object:
    if isinstance(value, Decimal):
        return {"number": str(value)}
    return value if value is None or isinstance(value, int) else storable_message(str(value))


def stored_detail(text: str) -> str:
    """Return what is stored beside a text that is recorded in English, so that pages can say it in the reader's language: the
    parts of a detail as JSON. Empty if the text is no detail."""
    return json.dumps(text.parts) if isinstance(text, Detail) else ""


def recorded(text: str, stored: str) -> str:
    """Return a recorded text as the detail that it was. Without its parts, as in old rows, it stays as it is recorded."""
    return _read_detail(json.loads(stored)).written_as(text) if stored else text


def _read_value(stored: Mapping[str, Any]) -> Detail | Decimal:
    return Decimal(stored["number"]) if "number" in stored else _read_detail(stored)


def _read_detail(parts: Mapping[str, Any]) -> Detail:
    values = {name: _read_value(value) if isinstance(value, dict) else value for name, value in parts["values"].items()}
    detail = Detail(parts["text"], **values)
    if "error_code" not in parts:
        return detail
    return _Refusal(BillingError(NUMBERED[parts["error_code"]], detail, field=parts["field"], instead=parts["instead"]))


class BillingError(Exception):
    """A refusal: a rule says no, and nothing was written.

    `field` is the input's name in the request. `detail`, a Detail if it has words of ours, is added to the first sentence of
    the message, or replaces the message with `instead`, because Aria words some codes differently in each case.
    `third_party_errors` are the tax engine's own messages. `outputs` are output fields of a method call that are known although
    it failed.
    """

    def __init__(
        self,
        code: ErrorCode,
        detail: str = "",
        *,
        field: str | None = None,
        instead: bool = False,
        third_party_errors: tuple[dict[str, str], ...] = (),
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        self.code = code
        self.detail = detail
        self.field = field
        self.instead = instead
        self.third_party_errors = third_party_errors
        self.outputs = outputs or {}
        row_message = code.message.replace("{field}", field or "")
        self.message = storable_message(detail if instead else _explained(row_message, detail))
        super().__init__(f"{code.number} {self.message}")

    @property
    def shown(self) -> str:
        """The message for a page, in the reader's language."""
        if not isinstance(self.detail, Detail):
            return shown_message(self.code.number, self.message)
        if self.instead:
            return storable_message(self.detail.shown)
        row_message = _page_words(self.code).replace("{field}", self.field or "")
        return storable_message(_explained(row_message, self.detail.shown))

    @property
    def shown_at_field(self) -> str:
        """As `shown`, without the input's name before the detail: beside its field the name says nothing to the reader."""
        name = f"{self.field}: "
        return self.shown.replace(f": {name}", ": ", 1).removeprefix(name)

    @property
    def at_field(self) -> str:
        """What is wrong with the field, for programs that show it beside the input: the detail without the input's name. If the
        detail does not begin with the name, it needs the message before it, account does not exist: acct_no 9, unless that
        says only that the input is wrong."""
        for name in (self.field or "", (self.field or "").rpartition(".")[2]):
            if name and self.detail.startswith(f"{name}: "):
                return storable_message(self.detail.removeprefix(f"{name}: "))
        is_general = self.detail and self.code is ErrorCode.INVALID_INPUT
        return storable_message(self.detail) if is_general else self.message

    @property
    def as_detail(self) -> str:
        """The whole message as a detail, which can be recorded. If its detail is no words of ours, it is a text only."""
        return _Refusal(self) if not self.detail or isinstance(self.detail, Detail) else self.message

    @property
    def stored(self) -> str:
        """What is stored beside the message, for its translation (`stored_detail`)."""
        return stored_detail(self.as_detail)

    def renamed(self, names: Mapping[str, str]) -> "BillingError":
        """Return the same refusal with its field under the name that was sent. `names` maps our names to sent ones."""
        wire = names.get(self.field or "", self.field)
        if wire == self.field or wire is None:
            return self
        detail = re.sub(rf"\b{re.escape(self.field or '')}\b", wire, self.detail)
        return BillingError(self.code, detail, field=wire, instead=self.instead, third_party_errors=self.third_party_errors)

    def within(self, path: str) -> "BillingError":
        """Return the same refusal with its field below a path: charges[0].rates[0]."""
        field = f"{path}.{self.field}" if self.field else path
        return BillingError(self.code, self.detail, field=field, instead=self.instead)


NO_WORDS = ""
"""As a literal in a Detail it would be a text to translate."""


class _Refusal(Detail):
    """The message of a refusal."""

    error: BillingError

    def __new__(cls, error: BillingError) -> Self:
        refusal = str.__new__(cls, error.message)
        refusal.text, refusal.values, refusal.error = error.message, {}, error
        return refusal

    @property
    def shown(self) -> str:
        return self.error.shown

    @property
    def parts(self) -> dict[str, Any]:
        error = self.error
        detail = error.detail if isinstance(error.detail, Detail) else Detail(NO_WORDS)
        return {**detail.parts, "error_code": error.code.number, "field": error.field, "instead": error.instead}


def _page_text(text: str) -> str:
    """Return a text of the table or of a detail in plain words, in English."""
    return PAGE_WORDS.get(text, text)


def _page_words(code: ErrorCode) -> str:
    """Return the message of a code for a page, in the reader's language."""
    return gettext(_page_text(code.message))


def message_of(number: int, message: str) -> str:
    """Return the message of an outcome. If it has none, return the message of its code."""
    return message or NUMBERED[number].message


def shown_message(number: int, message: str, stored: str = "") -> str:
    """Return the message of an error, as it was recorded, for a page: in the language that is active.

    `stored` are the parts of its detail. Old rows have none: then the sentences of the table are translated, and the detail
    between them is as it was recorded, in English, unless the catalogue has it as it is.
    """
    if stored:
        return str(shown_detail(recorded(message, stored)))
    code = NUMBERED.get(number)
    if code is not None and message == code.message:
        return _page_words(code)
    if code is None or not message:
        return gettext(message) if message else ""
    before, named, after = code.message.partition("{field}")
    if named and message.startswith(before):
        return _page_words(code).replace("{field}", message.removeprefix(before).removesuffix(after))
    wrong, _, next_step = code.message.partition(". ")
    start, end = f"{wrong.rstrip('.')}: ", f". {next_step}" if next_step else ""
    if not (message.startswith(start) and message.endswith(end)):
        return gettext(message)
    return _explained(_page_words(code), gettext(message[len(start) : len(message) - len(end)]))


class PendingAct(BillingError):
    """Not a refusal: the act is stored as a request and done when another person approves it. `row` is the request as sent."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.row = row
        super().__init__(ErrorCode.ACT_PENDING, Detail("request {number}", number=row["id"]))

    @property
    def body(self) -> dict[str, Any]:
        """The body that a resource answers."""
        return {"error_code": self.code.number, "error_msg": self.message, "errors": {}, "requested_act": self.row}


def error_from_event(number: int, message: str, stored: str = "") -> BillingError:
    """Rebuild a BillingError from a stored event, with its original message. `stored` are the parts of its detail."""
    return BillingError(NUMBERED[number], recorded(message, stored), instead=True)

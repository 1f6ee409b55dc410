"""Tables of the documentation that the code knows. `make reference` writes them into the pages; a test compares them.

A page has `<!-- table: NAME. Written by ... -->` where a table begins, and `<!-- end of the table -->` where it ends.
"""

import os
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")
django.setup()

from django.db import models  # noqa: E402
from drf_spectacular.generators import SchemaGenerator  # noqa: E402

from accounts.aria.method_calls import CallerFields, Credentials  # noqa: E402
from accounts.event_types import EVENT_TYPES  # noqa: E402
from accounts.models import ApiKey, Client  # noqa: E402
from billing_site.api import METHODS  # noqa: E402
from rebills.roles import ROLES, SEEN  # noqa: E402
from tests.support.vendor_fields import FIELDS  # noqa: E402

DOCS = Path(__file__).resolve().parent.parent / "docs"
TABLE = re.compile(r"(<!-- table: ([\w ]+)\.[^>]*-->\n).*?(<!-- end of the table -->)", re.S)
OUR_INPUTS = {
    "gen_rb_m": {"retax", "client_receipt_id"},
    "get_statement_for_invoice": {"mime_type"},
    "get_statement_for_invoice_m": {"mime_type"},
    "advance_virtual_datetime": {"client_receipt_id"},
    "advance_virtual_datetime_m": {"client_receipt_id"},
    "create_reason_code_m": {"client_receipt_id"},
    "create_cm_m": {"client_receipt_id"},
    "void_credit_memo_m": {"client_receipt_id"},
    "create_writeoff_or_dispute_m": {"amount"},
    "apply_cash_credit_m": {"client_acct_id", "client_receipt_id"},
    "update_acct_invoice_m": {"posting_status_cd", "client_receipt_id"},
    "create_advanced_service_credit_m": {"client_receipt_id"},
    "apply_coupon_to_acct_m": {"client_receipt_id"},
    "get_refund_details_m": {"client_acct_id"},
}
"""What method calls take that the vendor's pages do not have."""
NO_SETTINGS = {"region", "country", "clock_offset"}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head), ["---"] * len(list(head)), *(list(row) for row in rows)]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


def client_settings() -> str:
    fields = [field for field in Client._meta.get_fields() if not field.auto_created and field.help_text]
    fields = [field for field in fields if field.name not in NO_SETTINGS]
    return table(
        ("setting", "values", "of a new client", "what it does"),
        ((f"`{field.name}`", values_of(field), default_of(field), str(field.help_text)) for field in fields),
    )


def values_of(field: Any) -> str:
    if field.choices:
        return ", ".join(f"`{value}`" for value, _ in field.choices)
    kinds = {models.BooleanField: "yes, no", models.DecimalField: "a number", models.PositiveIntegerField: "a whole number"}
    return next((text for kind, text in kinds.items() if isinstance(field, kind)), "people" if field.many_to_many else "a text")


def default_of(field: Any) -> str:
    if not field.has_default():
        return "none"
    default = field.get_default()
    return (
        {True: "yes", False: "no", "": "none"}.get(default, f"`{default}`") if isinstance(default, bool | str) else f"{default}"
    )


def key_rights() -> str:
    fields = [field for field in ApiKey._meta.get_fields() if field.name.startswith("may_") or field.name == "read_only"]
    return table(("right", "what it allows"), ((f"`{field.name}`", str(field.help_text)) for field in fields))


def roles() -> str:
    named = {role: sorted(set(rights) - set(SEEN)) for role, rights in ROLES.items()}
    return table(
        ("role", "permissions"),
        ((role, ", ".join(f"`{right}`" for right in rights) or "none") for role, rights in named.items()),
    )


def method_calls() -> str:
    common = {*Credentials().fields, *CallerFields().fields}
    return table(("method call", "inputs", "outputs"), (row_of(name, common) for name in METHODS))


def row_of(name: str, common: set[str]) -> tuple[str, str, str]:
    method = getattr(METHODS[name], name).method_call
    taken = {field: bound for field, bound in method.taken().fields.items() if field not in common}
    ours = OUR_INPUTS.get(name, set())
    assert ours <= set(taken), name
    inputs = [marked(f"**`{field}`**" if bound.required else f"`{field}`", field in ours) for field, bound in taken.items()]
    outputs = [marked(f"`{field}`", name in FIELDS and field not in vendor_outputs(name)) for field in method.outputs]
    return f"`{name}`", ", ".join(inputs) or "none", ", ".join(outputs) or "none"


def marked(text: str, is_ours: bool) -> str:
    return f"{text} *(ours)*" if is_ours else text


def vendor_outputs(name: str) -> set[str]:
    return {field for kind, names in FIELDS[name].items() for field in (names if kind == "rows" else names.split())}


def resources() -> str:
    """Each resource with its operations; method calls are in a table of their own."""
    described = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    rows: dict[str, list[str]] = {}
    for path, operations in described.items():
        name, _, rest = path.removeprefix("/api/v1/").partition("/")
        if path.startswith("/api/v1/") and rest.strip("/") not in METHODS:
            shown = rest.rstrip("/")
            rows.setdefault(name, []).extend(f"{verb.upper()} {shown}".strip() for verb in operations)
    return table(
        ("resource", "operations"), ((f"`{name}`", ", ".join(f"`{one}`" for one in rows[name])) for name in sorted(rows))
    )


def types_of_events() -> str:
    def members(names: tuple[str, ...]) -> str:
        return ", ".join("each setting" if name == "*" else f"`{name}`" for name in names) or "none"

    return table(
        ("type", "what has happened", "`before`", "`after`"),
        ((f"`{one.name}`", one.meaning, members(one.before), members(one.after)) for one in EVENT_TYPES.values()),
    )


TABLES: dict[str, Callable[[], str]] = {
    "client settings": client_settings,
    "key rights": key_rights,
    "roles": roles,
    "method calls": method_calls,
    "resources": resources,
    "types of events": types_of_events,
}


def pages_with_tables() -> list[Path]:
    return sorted(page for page in DOCS.rglob("*.md") if TABLE.search(page.read_text()))


def with_tables(text: str) -> str:
    """Return the text of a page with the tables as the code has them now."""
    return TABLE.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n{found[3]}", text)


if __name__ == "__main__":
    for page in pages_with_tables():
        page.write_text(with_tables(page.read_text()))
        sys.stdout.write(f"written: {page.relative_to(DOCS.parent)}\n")

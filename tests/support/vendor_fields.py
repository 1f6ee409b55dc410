"""The fields of method calls from the description of Aria's API (release 19): names, types and nesting.

`vendor_fields.json` has the inputs and outputs of each call by type (`long`, `double`, `text`), and `rows` with the fields of
their rows. Fields that every call has are left out.
"""

import json
from pathlib import Path
from typing import Any

VENDOR: dict[str, dict[str, dict[str, Any]]] = json.loads(Path(__file__).with_suffix(".json").read_text())

INPUTS = {name: fields["in"] for name, fields in VENDOR.items()}
FIELDS = {name: fields["out"] for name, fields in VENDOR.items()}
"""The outputs of each method call."""


def names_of(fields: dict[str, Any], path: str = "") -> dict[str, str]:
    """Return the type of each field by its path, such as `history.invoice_no`. Rows have the type `rows`."""
    types: dict[str, str] = {}
    for kind, names in fields.items():
        for name in names if kind == "rows" else names.split():
            types[path + name] = kind
            if kind == "rows":
                types |= names_of(names[name], f"{path}{name}.")
    return types

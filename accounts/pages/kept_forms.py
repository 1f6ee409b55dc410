"""A form that was sent after the session had ended: it is kept through signing in, and then sent by its sender again."""

import json
from typing import NamedTuple

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme

NOT_KEPT = ("csrfmiddlewaretoken",)


class KeptForm(NamedTuple):
    """What was sent, and to which address. Files are not kept: `lacks_files` says that there were some."""

    address: str
    fields: tuple[tuple[str, str], ...]
    lacks_files: bool = False

    @property
    def as_text(self) -> str:
        return json.dumps(self)


def sent_form(request: HttpRequest) -> KeptForm:
    """Return the form that a request sends."""
    fields = tuple((name, value) for name in request.POST if name not in NOT_KEPT for value in request.POST.getlist(name))
    return KeptForm(request.get_full_path(), fields, bool(request.FILES))


def kept_form(request: HttpRequest) -> KeptForm | None:
    """Return the form that the sign-in page has kept, if there is one. An address of another site is ignored."""
    try:
        address, fields, lacks_files = json.loads(request.POST.get("kept", ""))
        found = KeptForm(str(address), tuple((str(name), str(value)) for name, value in fields), bool(lacks_files))
    except (TypeError, ValueError):
        return None
    is_ours = found.address.startswith("/") and url_has_allowed_host_and_scheme(found.address, {request.get_host()})
    return found if is_ours else None

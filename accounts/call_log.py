"""The log of API calls. Views collect what they know of a call on its request; it is written after the answer.

Each request has an id: the X-Request-ID that was sent, or a new one. It is in the answer, the call log, events, and the
server's log.
"""

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.models import ApiCall, Client
from accounts.rate_limits import Limit
from billing_site.common.request_ids import request_id_now, request_id_of
from billing_site.common.storage import insert_into_log

logger = logging.getLogger(__name__)

LOGGED = ("/api/v1/", "/v1/core", "/api/ws/")
"""Paths below which a request is an API call."""


@dataclass
class CallRecord:
    """What is known of a call so far."""

    request_id: str
    address: str = ""
    at: datetime = field(default_factory=timezone.now)
    began: float = field(default_factory=time.perf_counter)
    client_no: int | None = None
    key_no: int | None = None
    staff_no: int | None = None
    method: str = ""
    account_no: int | None = None
    receipt_id: str = ""
    error_code: int = 0
    message: str = ""
    caller: str = ""
    limit: Limit | None = None
    is_logged: bool = True


def call_of(request: Any) -> CallRecord:
    """Return the record of a request, or a new one if no middleware created it."""
    request = getattr(request, "_request", request)
    if not hasattr(request, "call_record"):
        request.call_record = CallRecord(request_id_of(request.headers.get("X-Request-ID", "")), calling_address(request))
    record: CallRecord = request.call_record
    return record


def calling_address(request: HttpRequest) -> str:
    """Return the caller's address. With n trusted proxies, it is the n-th address from the end of X-Forwarded-For."""
    forwarded = [one.strip() for one in request.headers.get("X-Forwarded-For", "").split(",") if one.strip()]
    if 0 < settings.TRUSTED_PROXY_COUNT <= len(forwarded):
        return forwarded[-settings.TRUSTED_PROXY_COUNT][:45]
    return str(request.META.get("REMOTE_ADDR", ""))


class CallLogMiddleware:
    """Gives each request its id, and logs API calls."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        record = call_of(request)
        token = request_id_now.set(record.request_id)
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = record.request_id
            if record.limit is not None:
                for name, value in record.limit.headers.items():
                    response[name] = value
            if request.path.startswith(LOGGED):
                response.headers.setdefault("Cache-Control", "no-store")
                if record.is_logged:
                    _write(record, request, response)
            elif settings.SESSION_COOKIE_NAME in request.COOKIES and not request.path.startswith(f"/{settings.STATIC_URL}"):
                # What staff see while they are signed in is kept by no cache, not even by that of their browser.
                response.headers.setdefault("Cache-Control", "no-store")
            return response
        finally:
            request_id_now.reset(token)


FIELDS = (
    "at",
    "client_id",
    "api_key_id",
    "staff_id",
    "method",
    "account_no",
    "receipt_id",
    "error_code",
    "message",
    "http_status",
    "milliseconds",
    "address",
    "caller",
    "request_id",
)


def _write(record: CallRecord, request: HttpRequest, response: HttpResponse) -> None:
    """Write the log row without waiting for its commit. If it cannot be written, the call is still answered."""
    row = (
        record.at,
        record.client_no,
        record.key_no,
        record.staff_no,
        (_storable(record.method) or _address(request))[:200],
        record.account_no,
        _storable(record.receipt_id)[:255],
        record.error_code,
        _storable(record.message)[:2000],
        response.status_code,
        round((time.perf_counter() - record.began) * 1000),
        record.address,
        _storable(record.caller)[:30],
        record.request_id,
    )
    try:
        insert_into_log(ApiCall, FIELDS, row)
    except Exception:
        logger.exception("the call could not be logged")


ROWS_AT_ONCE = 10_000


def prune_calls(before: datetime, client: Client | None = None) -> int:
    """Delete the log rows of one client, or of all, that are older than a moment, and return how many. Many small deletes."""
    old = ApiCall.objects.filter(at__lt=before).order_by("at")
    if client is not None:
        old = old.filter(client=client)
    deleted = 0
    while numbers := list(old.values_list("pk", flat=True)[:ROWS_AT_ONCE]):
        deleted += ApiCall.objects.filter(pk__in=numbers).delete()[0]
    return deleted


def _address(request: HttpRequest) -> str:
    """Return the pattern of the address, such as POST invoices/{id}/approve."""
    path = re.sub(r"/[0-9]+(?=/)", "/{id}", request.path.removeprefix("/api/v1/").join("//"))
    return _storable(f"{request.method} {path.strip('/')}")


def _storable(text: str) -> str:
    """Remove what a database cannot store, and mask possible card numbers, because messages quote the input."""
    held = text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return re.sub(r"[0-9](?:[ -]?[0-9]){11,18}", "...", held)

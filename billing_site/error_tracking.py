"""Errors are sent by the Sentry protocol, if its package is installed (`pip install .[sentry]`) and SENTRY_DSN is set.

An error is sent with where it happened in the program, the act and the request id; in a worker, with the kind of work and the
numbers of the client, billing run, campaign or decision that it was busy with. Bodies, headers, cookies,
addresses, people and the values of variables are left out, and so are texts of errors, which may quote them.
"""

import os
from typing import Any

from billing_site.common.request_ids import request_id_now
from billing_site.common.work_now import work_now

KEPT = ("event_id", "timestamp", "platform", "level", "logger", "release", "environment", "sdk", "contexts", "transaction")
KEPT_CONTEXTS = ("runtime", "trace")
KEPT_FRAME = ("filename", "function", "module", "lineno", "in_app")


def track_errors() -> None:
    """Begin to send errors, if SENTRY_DSN is set."""
    dsn = os.environ.get("SENTRY_DSN", "")
    if not dsn:
        return
    import sentry_sdk
    from sentry_sdk.integrations.atexit import AtexitIntegration
    from sentry_sdk.integrations.django import DjangoIntegration
    from sentry_sdk.integrations.logging import LoggingIntegration

    sentry_sdk.init(
        dsn=dsn,
        environment=os.environ.get("SENTRY_ENVIRONMENT", "production"),
        default_integrations=False,
        integrations=[
            DjangoIntegration(transaction_style="url"),
            LoggingIntegration(level=None),
            AtexitIntegration(callback=lambda pending, timeout: None),
        ],
        send_default_pii=False,
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        max_request_body_size="never",
        before_send=scrubbed,
    )


def send_the_rest(seconds: float = 2.0) -> None:
    """Send what was not sent yet. For processes that end without the usual end of Python."""
    if os.environ.get("SENTRY_DSN", ""):
        import sentry_sdk

        sentry_sdk.flush(seconds)


def scrubbed(event: Any, hint: Any) -> Any:
    """Return an event with nothing but where the error happened, its type, the act, the request id and the work."""
    kept = {name: event[name] for name in KEPT if name in event}
    kept["contexts"] = {name: value for name, value in event.get("contexts", {}).items() if name in KEPT_CONTEXTS}
    kept["tags"] = {"request_id": request_id_now.get(), **work_now.get()}
    if "exception" in event:
        kept["exception"] = {"values": [_without_values(one) for one in event["exception"].get("values", [])]}
    elif "logentry" in event:
        # The text as it is in the program, without the values that it was filled with.
        kept["logentry"] = {"message": event["logentry"].get("message", "")}
    return kept


def _without_values(error: dict[str, Any]) -> dict[str, Any]:
    frames = [
        {name: frame[name] for name in KEPT_FRAME if name in frame}
        for frame in (error.get("stacktrace") or {}).get("frames", [])
    ]
    return {"type": error.get("type"), "module": error.get("module"), "stacktrace": {"frames": frames}}

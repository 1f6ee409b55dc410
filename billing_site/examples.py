"""A working example request for each operation of the API's description: body, number in the address, query.

A number from 1001 on means the same row everywhere: account 1001 is billed and owes money, 1002 is due for billing, 1003 has a
pending invoice, 1004 pays by card, 1005 has payments and credits. Imports no other module of ours.
"""

from collections.abc import Mapping
from typing import Any

BILLED, DUE, WAITING, CARD = 1001, 1002, 1003, 1004
ISSUED, PENDING, REBILL, MEMO, COLLECTABLE = 2001, 2002, 2003, 2004, 2005
PAYMENT, REFUND, CASH_CREDIT, WRITE_OFF, DISPUTE, REFUNDABLE = 3001, 3002, 3003, 3004, 3005, 3006
SERVICE, PLAN, CHARGE, INSTANCE, NOT_BILLED = 4001, 4002, 4003, 4004, 4019
PLANNED_RUN, RUNNING_RUN, PAUSED_RUN, DRY_RUN = 4021, 4022, 4023, 4024

ROWS: Mapping[str, int] = {
    "account": BILLED,
    "billingrun": 4005,
    "cashcredit": CASH_CREDIT,
    "collectionattempt": 4006,
    "contact": 4007,
    "coupon": 4008,
    "couponredemption": 4009,
    "creditmemo": MEMO,
    "dispute": DISPUTE,
    "invoice": ISSUED,
    "onetimecharge": 4010,
    "payment": PAYMENT,
    "paymentmethod": 4011,
    "plan": PLAN,
    "planinstance": INSTANCE,
    "rateschedule": 4012,
    "reasoncode": 4013,
    "rebill": REBILL,
    "refund": REFUND,
    "requestedact": 4020,
    "runfilter": 4025,
    "runoutcome": 4005,
    "schedule": 4026,
    "service": SERVICE,
    "servicecredit": 4014,
    "servicelocation": 4015,
    "surcharge": 4016,
    "taxrate": 4017,
    "transaction": CASH_CREDIT,
    "usage": 4018,
    "writeoff": WRITE_OFF,
}
"""The row that an address names, by resource."""

OTHER_ROWS: Mapping[str, int] = {
    **dict.fromkeys(("invoice_approve", "invoice_discard", "invoice_regenerate"), PENDING),
    "billingrun_start": PLANNED_RUN,
    "billingrun_pause": RUNNING_RUN,
    **dict.fromkeys(("billingrun_resume", "billingrun_cancel"), PAUSED_RUN),
    "invoice_collect": COLLECTABLE,
    "payment_refund": REFUNDABLE,
    "planinstance_destroy": NOT_BILLED,
}
"""Acts that need another row than their resource's example."""

QUERIES: Mapping[str, Mapping[str, Any]] = {"rebill_chain": {"invoice_no": REBILL}, "usage_unbilled": {"acct_no": BILLED}}

REASON = {"reason_code": 1, "comments": "Line was down"}
ONE_LINE = [{"line_no": 1, "units": "0.5"}]
INVOICE_OF_ACCOUNT = {"acct_no": BILLED, "invoice_no": ISSUED}
TRANSACTION_OF_ACCOUNT = {"acct_no": BILLED, "src_transaction_id": ISSUED}
PAID = {"acct_no": BILLED, "payment_amount": "20.00", "reference_code": "1042"}
APPROVED = {"invoice_no": PENDING, "action_directive": 1}
VOIDED = {**INVOICE_OF_ACCOUNT, "reason_code": 5, "comments": "Billed in error"}

BODIES: Mapping[str, Mapping[str, Any]] = {
    "account_create": {"client_acct_id": "A-100", "currency": "usd"},
    "contact_create": {"acct_no": BILLED, "contact_no": 7, "role": "billing", "name": "Ada Byron", "country": "US"},
    "paymentmethod_create": {"acct_no": BILLED, "type": "card", "token": "sandbox_approved"},
    "service_create": {"client_service_id": "minutes", "name": "Minutes", "gl_code": "4200"},
    "servicelocation_create": {"client_service_location_id": "north", "city": "Springfield", "country": "US"},
    "plan_create": {
        "client_plan_id": "talk",
        "name": "Talk",
        "currency": "usd",
        "charges": [
            {"service": SERVICE, "line_type": 1, "rate_per_unit": "20"},
            {"service": SERVICE, "line_type": 5, "rates": [{"model": "flat", "rate_per_unit": "15"}]},
        ],
    },
    "rateschedule_create": {"charge": CHARGE, "currency": "usd", "rate_per_unit": "25", "valid_from": "2026-06-01"},
    "planinstance_create": {"acct_no": DUE, "plan": PLAN, "start_date": "2026-02-10"},
    "planinstance_end": {"end_date": "2026-06-30"},
    "planinstance_change": {"plan": PLAN, "start_date": "2026-02-10"},
    "taxrate_create": {"name": "Sales tax", "country": "US", "region": "NV", "percent": "6.85", "valid_from": "2026-01-01"},
    "usage_create": {
        "records": [
            {
                "record_id": "c1",
                "acct_no": BILLED,
                "client_service_id": "calls",
                "units": "120.5",
                "used_at": "2026-01-12T09:30:00",
            }
        ]
    },
    "onetimecharge_create": {"acct_no": BILLED, "service": SERVICE, "rate_per_unit": "79.90"},
    "surcharge_create": {"name": "Fee", "service": SERVICE, "percent": "2", "valid_from": "2026-01-01"},
    "coupon_create": {"code": "FIVE", "name": "Five percent off", "percent": "5", "cycles": 3, "valid_from": "2026-01-01"},
    "couponredemption_create": {"acct_no": DUE, "code": "TEN"},
    "servicecredit_create": {"acct_no": BILLED, "amount": "20.00", "reason": "Outage"},
    "servicecredit_expire": {"expires_on": "2026-12-31"},
    "invoice_create": {"acct_no": DUE, "force_pending": True},
    "invoice_preview": {"acct_no": DUE},
    "invoice_approve": {"reason": "checked"},
    "invoice_discard": {"client_notes": "wrong month"},
    "invoice_regenerate": {"reason": "prices have changed"},
    "invoice_approve_many": {"invoice_nos": [PENDING], "reason": "checked"},
    "invoice_discard_many": {"invoice_nos": [PENDING], "client_notes": "wrong month"},
    "invoice_regenerate_many": {"invoice_nos": [PENDING]},
    "invoice_collect_many": {"invoice_nos": [COLLECTABLE]},
    "invoice_send_statement": {},
    "invoice_bill_again": {"force_pending": True},
    "invoice_waive_periods": {"comments": "Agreed with the customer"},
    "invoice_void": {"reason_code": 5, "comments": "Billed in error"},
    "rebill_preview": {"invoice_no": ISSUED, "lines": ONE_LINE},
    "rebill_create": {"invoice_no": ISSUED, "lines": ONE_LINE, "reason_code": 1, "collect": False},
    "rebill_bulk": {"rebills": [{"invoice_no": ISSUED, "lines": ONE_LINE, "reason_code": 1}]},
    "rebill_send_statement": {},
    "rebill_void": {"reason_code": 5, "comments": "Rebilled in error"},
    "creditmemo_preview": {"invoice_no": ISSUED, "lines": [{"line_no": 1, "amount": "10.00"}]},
    "creditmemo_create": {"invoice_no": ISSUED, "lines": [{"line_no": 1, "amount": "10.00"}], **REASON},
    "creditmemo_send_statement": {},
    "creditmemo_void": {"reason_code": 5, "comments": "Credited in error"},
    "payment_create": {"acct_no": BILLED, "amount": "20.00", "type": "check", "reference": "1042"},
    "payment_apply": {},
    "payment_refund": {"amount": "5.00", "reason_code": 2, "comments": "Paid too much"},
    "cashcredit_create": {"acct_no": BILLED, "amount": "4.00", "reason_code": 1},
    "cashcredit_apply": {},
    "writeoff_create": {"invoice_no": ISSUED, "amount": "1.00", "reason_code": 2},
    "dispute_create": {"invoice_no": ISSUED, "amount": "1.00", "reason_code": 2},
    **{
        f"{entry}_void": {"reason_code": 1}
        for entry in ("payment", "refund", "cashcredit", "writeoff", "dispute", "transaction")
    },
    "billingrun_create": {"compared_with": DRY_RUN, "stop_above_refusals": 10},
    "billingrun_dry_run": {"filter": {"currencies": ["usd"], "bill_days": [10]}, "stop_above_invoice": "5000"},
    "billingrun_retry": {"only_failed": True},
    "runfilter_create": {"name": "Cards in California", "filter": {"regions": ["US-CA"], "payment_methods": ["card"]}},
    "schedule_create": {"act": "bill", "hour": 6},
    "reasoncode_create": {"type": "rebill", "code": 700, "name": "Wrong rate"},
}
"""The body of each resource operation."""

METHOD_BODIES: Mapping[str, Mapping[str, Any]] = {
    "gen_invoice": {"acct_no": DUE, "force_pending": "true", "client_receipt_id": "feb001"},
    "gen_invoice_m": {"acct_no": DUE, "force_pending": "true", "client_receipt_id": "feb001"},
    "gen_rb_m": {
        "acct_no": BILLED,
        "orig_invoice_no": ISSUED,
        "reason_cd": 1,
        "do_collect": "false",
        "rb_comments": "Half a month",
        "rb_line_items": [{"line_no": 1, "service_no": SERVICE, "rb_units": 0.5}],
    },
    **dict.fromkeys(("get_pending_invoice_no", "get_pending_invoice_no_m"), {"acct_no": WAITING}),
    **dict.fromkeys(("manage_pending_invoice", "manage_pending_invoice_m"), APPROVED),
    **dict.fromkeys(("get_invoice_details", "get_payments_on_invoice"), TRANSACTION_OF_ACCOUNT),
    **dict.fromkeys(("get_invoice_details_m", "get_invoice_cm_details_m", "get_payments_on_invoice_m"), INVOICE_OF_ACCOUNT),
    "get_acct_invoice_history": {"acct_no": BILLED, "start_bill_date": "2026-01-01"},
    "get_invoice_history_m": {"acct_no": BILLED, "master_plan_instance_no": -1},
    **dict.fromkeys(("get_statement_for_invoice", "get_statement_for_invoice_m"), INVOICE_OF_ACCOUNT),
    **dict.fromkeys(("void_invoice", "void_invoice_m"), VOIDED),
    **dict.fromkeys(("record_external_payment", "record_external_payment_m"), PAID),
    "collect_from_account": {"account_no": CARD, "client_receipt_id": "col001"},
    "collect_from_account_m": {"acct_no": CARD, "client_receipt_id": "col001"},
    "get_acct_trans_history": {"account_no": BILLED},
    "get_acct_trans_history_m": {"acct_no": BILLED},
    "get_reason_code_m": {"reason_code_type": "rebill"},
    "create_reason_code_m": {"reason_code_type": "rebill", "reason_code": 701, "reason_code_name": "Wrong rate"},
    **dict.fromkeys(("authenticate_caller", "authenticate_caller_m", "get_virtual_datetime", "get_virtual_datetime_m"), {}),
    **dict.fromkeys(("advance_virtual_datetime", "advance_virtual_datetime_m"), {"hours": 24}),
}
"""The arguments of each method call besides its credentials."""

REFUSED: Mapping[str, int] = {
    # The example invoice is not voided, so this is refused.
    "invoice_bill_again": 90083,
    "invoice_waive_periods": 90083,
    "rebill_void": 90041,
}
"""Operations that are always refused for this kind of document, with the code. They share addresses with invoices."""

CREDENTIALS = {"client_no": 1, "auth_key": "YOUR-KEY"}


def with_examples(result: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Add the working example request to each operation of the API's description."""
    for operations in result["paths"].values():
        for operation in operations.values():
            name = operation["operationId"]
            if name in REFUSED:
                operation["description"] = f"Always refused ({REFUSED[name]})."
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    parameter["example"] = OTHER_ROWS.get(name) or ROWS[name.partition("_")[0]]
                elif parameter["name"] in QUERIES.get(name, {}):
                    parameter["example"] = QUERIES[name][parameter["name"]]
            if "requestBody" in operation:
                operation["requestBody"]["content"]["application/json"]["example"] = body_of(name)
    return result


def body_of(name: str) -> dict[str, Any]:
    if name in BODIES:
        return dict(BODIES[name])
    if name in METHOD_BODIES:
        return {**CREDENTIALS, **METHOD_BODIES[name]}
    return {"rest_call": "gen_invoice", "output_format": "json", **body_of("gen_invoice")}

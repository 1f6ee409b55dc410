"""A working example request for each operation of the API's description: body, number in the address, query.

A number from 1001 on means the same row everywhere: account 1001 is billed and owes money, 1002 is due for billing, 1003 has a
pending invoice, 1004 pays by card, 1005 has payments and credits. Imports no other module of ours.
"""

from collections.abc import Mapping
from typing import Any

BILLED, DUE, WAITING, CARD, PAYER = 1001, 1002, 1003, 1004, 1005
ISSUED, PENDING, REBILL, MEMO, COLLECTABLE, OPEN = 2001, 2002, 2003, 2004, 2005, 2006
PAYMENT, REFUND, CASH_CREDIT, WRITE_OFF, DISPUTE, REFUNDABLE = 3001, 3002, 3003, 3004, 3005, 3006
UNUSED_PAYMENT, UNUSED_CREDIT = 3007, 3008
SERVICE, PLAN, CHARGE, INSTANCE, NOT_BILLED = 4001, 4002, 4003, 4004, 4019
PLANNED_RUN, RUNNING_RUN, PAUSED_RUN, DRY_RUN = 4021, 4022, 4023, 4024
CAMPAIGN, APPROVED_CAMPAIGN, RUNNING_CAMPAIGN, PAUSED_CAMPAIGN, FINISHED_CAMPAIGN = 4041, 4042, 4043, 4044, 4045
UNDO_CAMPAIGN, RECHECK = 4047, 4048
SEEN_ADJUSTMENT = "1-5:9f86d081884c7d659a2feaa0c55ad015"
RULES_ON = 4061
SEEN_UNDO = "e3b0c44298fc1c149afbf4c8996fb924"
SEEN_CAMPAIGN = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

ROWS: Mapping[str, int] = {
    "account": BILLED,
    "approvalrules": 4060,
    "billingrun": 4005,
    "campaignitem": 4046,
    "cashcredit": CASH_CREDIT,
    "closedperiod": 4050,
    "collectionattempt": 4006,
    "contact": 4007,
    "coupon": 4008,
    "couponredemption": 4009,
    "creditmemo": MEMO,
    "dispute": DISPUTE,
    "einvoicesettings": 4051,
    "event": 4027,
    "invoice": ISSUED,
    "onetimecharge": 4010,
    "payment": PAYMENT,
    "paymentmethod": 4011,
    "pending": PENDING,
    "personaldata": 4076,
    "plan": PLAN,
    "planinstance": INSTANCE,
    "rateschedule": 4012,
    "reasoncode": 4013,
    "rebill": REBILL,
    "rebillcampaign": CAMPAIGN,
    "refund": REFUND,
    "requestedact": 4020,
    "runfilter": 4025,
    "runoutcome": 4005,
    "schedule": 4026,
    "auditrun": 4071,
    "decision": 4072,
    "service": SERVICE,
    "servicecredit": 4014,
    "servicelocation": 4015,
    "mailtext": 4073,
    "standin": 4062,
    "settings": 4089,
    "statement": 4074,
    "surcharge": 4016,
    "taxrate": 4017,
    "transaction": CASH_CREDIT,
    "usage": 4018,
    "webhookdelivery": 4028,
    "webhookendpoint": 4029,
    "writeoff": WRITE_OFF,
}
"""The row that an address names, by resource."""

PARENTS = {"campaign": "rebillcampaign", "audit": "auditrun", "decision": "decision"}
"""The resource of the row that a part of an address before its last number names."""

UNUSED: Mapping[str, int] = {
    name: 4091 + place
    for place, name in enumerate(("contact", "paymentmethod", "service", "plan", "taxrate", "rateschedule", "coupon"))
}
"""Rows that nothing uses, so that they can be removed, by resource."""

OTHER_ROWS: Mapping[str, int] = {
    **dict.fromkeys(
        (f"invoice_{act}" for act in ("approve", "discard", "recalculate", "regenerate", "partial_update")), PENDING
    ),
    **dict.fromkeys(("invoice_stop_approval", "invoice_resume_approval"), PENDING),
    "payment_apply": UNUSED_PAYMENT,
    "cashcredit_apply": UNUSED_CREDIT,
    "approvalrules_switch_off": RULES_ON,
    "billingrun_start": PLANNED_RUN,
    "billingrun_pause": RUNNING_RUN,
    **dict.fromkeys(("billingrun_resume", "billingrun_cancel"), PAUSED_RUN),
    "rebillcampaign_run": APPROVED_CAMPAIGN,
    "rebillcampaign_correct": RECHECK,
    "rebillcampaign_pause": RUNNING_CAMPAIGN,
    "rebillcampaign_resume": PAUSED_CAMPAIGN,
    **dict.fromkeys(("rebillcampaign_retry", "rebillcampaign_send_statements", "rebillcampaign_undo"), FINISHED_CAMPAIGN),
    **dict.fromkeys(("rebillcampaign_approve_undo", "rebillcampaign_keep"), UNDO_CAMPAIGN),
    "invoice_collect": COLLECTABLE,
    "payment_refund": REFUNDABLE,
    **dict.fromkeys(("transaction_preview_undo", "transaction_undo"), WRITE_OFF),
    "planinstance_destroy": NOT_BILLED,
    **{f"{name}_destroy": number for name, number in UNUSED.items()},
    "planinstance_trial": NOT_BILLED,
    "account_resume": WAITING,
}
"""Acts that need another row than their resource's example."""

QUERIES: Mapping[str, Mapping[str, Any]] = {"rebill_chain": {"invoice_no": REBILL}, "usage_unbilled": {"acct_no": BILLED}}

REASON = {"reason_code": 1, "comments": "Line was down"}
ONE_LINE = [{"line_no": 1, "units": "0.5"}]
INVOICE_OF_ACCOUNT = {"acct_no": BILLED, "invoice_no": ISSUED}
TRANSACTION_OF_ACCOUNT = {"acct_no": BILLED, "src_transaction_id": ISSUED}
PAID = {"acct_no": BILLED, "payment_amount": "20.00", "reference_code": "1042"}
APPROVED = {"invoice_no": PENDING, "action_directive": 1}
CREDITED = {"acct_no": BILLED, "credit_amount": 4.0, "credit_reason_cd": 1, "comments": "Goodwill"}
REFUNDED = {"acct_no": PAYER, "payment_transaction_id": REFUNDABLE, "total_refund_amount": 5.0, "reason_code": 2}
VOIDED_TRANSACTION = {"account_no": PAYER, "transaction_id": PAYMENT, "reason_code": 1, "comments": "Entered twice"}
USED = {
    "acct_no": BILLED,
    "usage_type_code": "calls",
    "usage_units": 120.5,
    "usage_date": "2026-01-12 09:30:00",
    "client_record_id": "c1",
}
ORDERED = {
    "acct_no": BILLED,
    "order_line_items": [{"client_sku": "phone", "units": 1.0, "amount": 79.9}, {"client_sku": "tv", "amount": 5.0}],
    "bill_immediately": 1,
}
VOIDED = {**INVOICE_OF_ACCOUNT, "reason_code": 5, "comments": "Billed in error"}

BODIES: Mapping[str, Mapping[str, Any]] = {
    "webhookendpoint_create": {"url": "https://erp.example.com/hooks", "event_types": ["invoice.*"], "description": "ERP"},
    "webhookendpoint_partial_update": {"event_types": ["invoice.issued", "invoice.paid"], "is_on": True},
    "webhookendpoint_send_again": {"since": "2026-02-10T00:00:00Z"},
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
    "account_partial_update": {"payment_terms_days": 30},
    "contact_partial_update": {"city": "Salem"},
    "paymentmethod_partial_update": {"label": "Visa"},
    "personaldata_erase": {"reason": "Request 17"},
    "einvoicesettings_partial_update": {"e_invoice": "ubl", "e_invoice_profile": "peppol", "contact_name": "Billing"},
    "settings_partial_update": {"payment_terms_days": 30, "collect_on_approval": True},
    "service_partial_update": {"name": "Telephone"},
    "servicelocation_partial_update": {"city": "Salem"},
    "plan_partial_update": {"name": "Talk more"},
    "rateschedule_partial_update": {"valid_to": "2026-12-31"},
    "coupon_partial_update": {"name": "Ten percent off", "valid_to": "2026-12-31"},
    "surcharge_partial_update": {"name": "Recovery fee", "valid_to": "2026-12-31"},
    "taxrate_partial_update": {"valid_to": "2026-12-31"},
    "planinstance_partial_update": {"units": "2", "units_from": "2026-02-20"},
    "planinstance_create": {"acct_no": DUE, "plan": PLAN, "start_date": "2026-02-10"},
    "planinstance_end": {"end_date": "2026-06-30"},
    "planinstance_change": {"plan": PLAN, "start_date": "2026-02-10"},
    "planinstance_trial": {"trial_end": "2990-01-14"},
    "account_pause": {"first_day": "2026-06-01", "last_day": "2026-08-31"},
    "account_resume": {"first_day": "2026-07-15"},
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
    **dict.fromkeys(
        ("invoice_one_off", "invoice_one_off_preview"),
        {"acct_no": BILLED, "charges": [{"service": SERVICE, "rate_per_unit": "79.90", "description": "Router"}]},
    ),
    "invoice_approve": {"reason": "checked"},
    "invoice_partial_update": {"custom_status_label": "ask Sales"},
    "invoice_discard": {"client_notes": "wrong month"},
    "invoice_recalculate": {"reason": "prices have changed"},
    "invoice_regenerate": {"reason": "prices have changed"},
    "invoice_approve_many": {"invoice_nos": [PENDING], "reason": "checked"},
    "invoice_discard_many": {"invoice_nos": [PENDING], "client_notes": "wrong month"},
    "invoice_recalculate_many": {"invoice_nos": [PENDING]},
    "invoice_regenerate_many": {"invoice_nos": [PENDING]},
    "invoice_collect_many": {"invoice_nos": [COLLECTABLE]},
    "invoice_send_statement": {},
    "mailtext_create": {"kind": "invoice", "language": "en", "subject": "Your invoice {number}", "opening": "Dear {customer},"},
    "statement_bounced": {"reason": "550 5.1.1 no such user"},
    "invoice_bill_again": {"force_pending": True},
    "invoice_undo_void": {"reason_code": 8, "comments": "Voided in error"},
    "invoice_waive_periods": {"comments": "Agreed with the customer"},
    "invoice_void": {"reason_code": 5, "comments": "Billed in error"},
    "pending_preview": {"lines": [{"line_no": 1, "rate_per_unit": "27.00"}], "discount_percent": "10"},
    "pending_adjust": {
        "lines": [{"line_no": 1, "rate_per_unit": "27.00"}],
        "reason_code": 1,
        "comments": "Agreed by phone",
        "fingerprint": SEEN_ADJUSTMENT,
    },
    "rebill_preview": {"invoice_no": ISSUED, "lines": ONE_LINE},
    "rebill_create": {"invoice_no": ISSUED, "lines": ONE_LINE, "reason_code": 1, "collect": False},
    "rebill_bulk": {"rebills": [{"invoice_no": ISSUED, "lines": ONE_LINE, "reason_code": 1}]},
    "rebill_send_statement": {},
    "rebill_undo": {"reason_code": 8, "comments": "Rebilled in error"},
    "approvalrules_create": {
        "rules": [
            {
                "name": "Clean and small",
                "is_clean": True,
                "currency": "usd",
                "total_below": "500.00",
                "approves_after_hours": 4,
            },
            {"name": "Large", "currency": "usd", "total_above": "10000.00", "approvers": 2, "escalates_after_days": 3},
        ],
        "comments": "Clean invoices need no person",
    },
    "standin_create": {"person": "ann", "stand_in": "ben", "first_day": "2990-07-01", "last_day": "2990-07-14"},
    "invoice_stop_approval": {"reason": "The customer has asked for a change"},
    "invoice_resume_approval": {"reason": "The customer agrees"},
    "closedperiod_create": {"month": "2026-01"},
    "closedperiod_reopen": {"comments": "An invoice came late"},
    "creditmemo_preview": {"invoice_no": ISSUED, "lines": [{"line_no": 1, "amount": "10.00"}]},
    "creditmemo_create": {"invoice_no": ISSUED, "lines": [{"line_no": 1, "amount": "10.00"}], **REASON},
    "creditmemo_send_statement": {},
    "creditmemo_void": {"reason_code": 5, "comments": "Credited in error"},
    "creditmemo_undo": {"reason_code": 1, "comments": "The line was not down"},
    "payment_create": {"acct_no": BILLED, "amount": "20.00", "type": "check", "reference": "1042"},
    "payment_apply": {},
    **dict.fromkeys(("payment_move", "cashcredit_move"), {"invoices": [{"invoice_no": OPEN, "amount": "2.00"}]}),
    "payment_refund": {"amount": "5.00", "reason_code": 2, "comments": "Paid too much"},
    "cashcredit_create": {"acct_no": BILLED, "amount": "4.00", "reason_code": 1},
    "cashcredit_apply": {},
    "writeoff_create": {"invoice_no": ISSUED, "amount": "1.00", "reason_code": 2},
    "dispute_create": {"invoice_no": ISSUED, "amount": "1.00", "reason_code": 2},
    **{
        f"{entry}_void": {"reason_code": 1}
        for entry in ("payment", "refund", "cashcredit", "writeoff", "dispute", "transaction")
    },
    **{
        f"{entry}_undo": {"reason_code": 8, "comments": "Entered in error"}
        for entry in ("refund", "writeoff", "dispute", "transaction")
    },
    "billingrun_create": {"compared_with": DRY_RUN, "stop_above_refusals": 10},
    "billingrun_dry_run": {"filter": {"currencies": ["usd"], "bill_days": [10]}, "stop_above_invoice": "5000"},
    "billingrun_retry": {"only_failed": True},
    "rebillcampaign_create": {
        "name": "Wrong price of January",
        "selection": {"services": [SERVICE], "rate": "30", "charged_from": "2026-01-01", "charged_until": "2026-01-31"},
        "rules": [{"change": "factor", "value": "0.98", "services": [SERVICE], "decimals": 2}],
        "reason_code": 1,
        "statements": "held",
    },
    "rebillcampaign_change": {"rules": [{"change": "rate", "value": "29.50", "services": [SERVICE], "at_rate": "30"}]},
    "rebillcampaign_recheck": {"selection": {"dated_from": "2026-01-01", "dated_until": "2026-01-31"}},
    "rebillcampaign_correct": {"name": "Differences of the recheck", "reason_code": 1},
    "rebillcampaign_approve": {"fingerprint": SEEN_CAMPAIGN},
    "rebillcampaign_approve_undo": {"fingerprint": SEEN_UNDO},
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
    "create_cm_m": {
        "acct_no": BILLED,
        "orig_invoice_no": ISSUED,
        "cm_reason_cd": 1,
        "cm_comments": "Line was down",
        "cm_line_items": [{"line_no": 1, "cm_line_amount": 10.0}],
    },
    "get_cm_list_m": {"acct_no": PAYER},
    "get_cm_details_m": {"acct_no": PAYER, "cm_no": MEMO},
    "void_credit_memo_m": {"acct_no": PAYER, "cm_no": MEMO, "comments": "Credited in error"},
    "create_writeoff_or_dispute_m": {"acct_no": BILLED, "invoice_no": ISSUED, "reason_code": 2, "comments": "Not collectable"},
    "get_acct_writeoff_or_disputes_m": {"acct_no": PAYER},
    **dict.fromkeys(("apply_cash_credit", "apply_cash_credit_m"), CREDITED),
    **dict.fromkeys(("issue_refund_to_acct", "issue_refund_to_acct_m"), REFUNDED),
    "get_refundable_payments_m": {"acct_no": PAYER},
    **dict.fromkeys(("void_transaction", "void_transaction_m"), VOIDED_TRANSACTION),
    **dict.fromkeys(
        ("update_acct_invoice", "update_acct_invoice_m"),
        {"acct_no": BILLED, "src_transaction_id": ISSUED, "client_notes": "Asked for a copy"},
    ),
    **dict.fromkeys(("record_usage", "record_usage_m"), USED),
    **dict.fromkeys(("bulk_record_usage", "bulk_record_usage_m"), {"usage_recs": [USED]}),
    **dict.fromkeys(("get_usage_history", "get_usage_history_m"), {"acct_no": BILLED, "date_range_start": "2026-01-01"}),
    **dict.fromkeys(("get_unbilled_usage_summary", "get_unbilled_usage_summary_m"), {"acct_no": BILLED}),
    **dict.fromkeys(("discard_usage", "discard_usage_m"), {"client_record_ids": [{"client_record_id": "c77"}]}),
    **dict.fromkeys(("create_order", "create_order_m"), ORDERED),
    "create_advanced_service_credit_m": {"acct_no": BILLED, "amount": 20.0, "comments": "Outage"},
    "get_unapplied_service_credits_m": {"acct_no": BILLED},
    "cancel_unapplied_service_credits_m": {"acct_no": BILLED, "credit_ids": [{"credit_ids": 4014}]},
    **dict.fromkeys(("apply_coupon_to_acct", "apply_coupon_to_acct_m"), {"acct_no": DUE, "coupon_code": "TEN"}),
    **dict.fromkeys(("get_acct_details_all", "get_acct_details_all_m"), {"acct_no": CARD}),
    **dict.fromkeys(("get_acct_balance", "get_acct_balance_m"), {"acct_no": BILLED}),
    **dict.fromkeys(("get_acct_plan_balance", "get_acct_plan_balance_m"), {"acct_no": BILLED, "plan_instance_no": INSTANCE}),
    **dict.fromkeys(("get_refund_details", "get_refund_details_m"), {"acct_no": PAYER}),
    **dict.fromkeys(("get_acct_preview_statement", "get_acct_preview_statement_m"), {"acct_no": DUE}),
    **dict.fromkeys(
        ("pre_calc_invoice", "pre_calc_invoice_m"),
        {
            "country_code": "US",
            "state_prov_code": "CA",
            "currency_code": "usd",
            "pre_calc_plan": [{"plan_item_service_no": SERVICE, "plan_item_plan_no": PLAN, "plan_item_units": 1.0}],
        },
    ),
    **dict.fromkeys(("get_acct_payment_history", "get_acct_payment_history_m"), {"acct_no": PAYER}),
    **dict.fromkeys(("get_acct_statement_history", "get_acct_statement_history_m"), {"acct_no": BILLED}),
    **dict.fromkeys(("get_acct_no_from_user_id", "get_acct_no_from_user_id_m"), {"user_id": "shop-7"}),
    "get_acct_contacts_m": {"acct_no": BILLED},
    "create_acct_complete": {
        "client_acct_id": "A-101",
        "currency_cd": "usd",
        "first_name": "Grace",
        "last_name": "Hopper",
        "country": "US",
        "master_plan_no": PLAN,
    },
    "create_acct_complete_m": {
        "acct": [
            {
                "client_acct_id": "A-102",
                "acct_currency": "usd",
                "first_name": "Grace",
                "last_name": "Hopper",
                "email": "grace@example.com",
                "country": "US",
                "payment_method": [{"pay_method_type": 13, "bill_agreement_id": "sandbox_approved", "pay_method_name": "Visa"}],
                "master_plans_detail": [{"plan_no": PLAN, "plan_instance_units": 1.0}],
            }
        ]
    },
    **dict.fromkeys(
        ("update_acct_complete", "update_acct_complete_m"), {"acct_no": BILLED, "city": "Salem", "taxpayer_id": "US987654321"}
    ),
    "update_payment_method_m": {
        "acct_no": CARD,
        "pay_method_type": 13,
        "bill_agreement_id": "sandbox_approved",
        "pay_method_name": "Visa ending 4242",
    },
    **dict.fromkeys(("update_acct_status", "update_acct_status_m"), {"account_no": BILLED, "status_cd": 1}),
    **dict.fromkeys(("get_acct_plans_all", "get_acct_plans_all_m"), {"acct_no": BILLED}),
    "assign_acct_plan_m": {"acct_no": DUE, "new_plan_no": PLAN, "plan_units": 1.0, "effective_date": "2026-02-10"},
    "replace_acct_plan_m": {
        "acct_no": BILLED,
        "plan_instance_no": INSTANCE,
        "new_plan_no": PLAN,
        "plan_units": 2.0,
        "effective_date": "2026-02-10",
    },
    "cancel_acct_plan_m": {"acct_no": BILLED, "plan_instance_no": INSTANCE, "effective_date": "2026-06-30"},
    **dict.fromkeys(("get_client_plans_all", "get_client_plans_all_m"), {}),
    **dict.fromkeys(("get_client_plan_services", "get_client_plan_services_m"), {"plan_no": PLAN}),
    **dict.fromkeys(
        ("get_client_plan_service_rates", "get_client_plan_service_rates_m"), {"plan_no": PLAN, "client_service_id": "phone"}
    ),
    **dict.fromkeys(("authenticate_caller", "authenticate_caller_m", "get_virtual_datetime", "get_virtual_datetime_m"), {}),
    **dict.fromkeys(("advance_virtual_datetime", "advance_virtual_datetime_m"), {"hours": 24}),
}
"""The arguments of each method call besides its credentials."""

REFUSED: Mapping[str, int] = {
    # The example invoice is not voided, so this is refused.
    "invoice_bill_again": 90083,
    "invoice_preview_undo_void": 90340,
    "invoice_undo_void": 90340,
    "invoice_waive_periods": 90083,
    # The month is not over, and nobody has asked for the reopening of the example client's period.
    "closedperiod_create": 90175,
    "closedperiod_approve_reopening": 90175,
    "closedperiod_keep_closed": 90175,
    # The fingerprint of a preview is another one for each document.
    "pending_adjust": 90003,
    "rebillcampaign_approve_undo": 90185,
    # Nobody has stopped the example document.
    "invoice_resume_approval": 90253,
    # Not a refusal: the answer is the statement, which has this code from now on.
    "statement_bounced": 90097,
}
"""Operations whose answer has an error code, with the code: refused for the example's row, or said of the row."""

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
                    resource = PARENTS.get(parameter["name"], name.partition("_")[0])
                    parameter["example"] = OTHER_ROWS.get(name) or ROWS[resource]
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

"""Aria's arguments that are not supported, grouped by meaning.

They limit or change an act on money. So a call that sets one is refused (90046) instead of doing something else.
"""

CARD = ("cc_number", "cc_expire_mm", "cc_expire_yyyy", "cvv", "track_data1", "track_data2")
BANK_ACCOUNT = (
    "bank_acct_num",
    "bank_acct_type",
    "bank_branch_cd",
    "bank_check_digit",
    "bank_country_cd",
    "bank_id_cd",
    "bank_routing_num",
    "bank_swift_cd",
    "iban",
    "mandate_id",
)
PAYER = (
    "bill_address1",
    "bill_address2",
    "bill_address3",
    "bill_cell_phone",
    "bill_city",
    "bill_company_name",
    "bill_contact_no",
    "bill_country",
    "bill_email",
    "bill_first_name",
    "bill_last_name",
    "bill_locality",
    "bill_middle_initial",
    "bill_phone",
    "bill_phone_extension",
    "bill_state_prov",
    "bill_work_phone",
    "bill_work_phone_extension",
    "bill_zip",
)
ANOTHER_PAYMENT_METHOD = (
    "alt_pay_method",
    "bill_seq",
    "recurring_processing_model_ind",
    *CARD,
    *BANK_ACCOUNT,
    *PAYER,
)
"""Arguments to collect by something else than the account's stored payment method."""

COLLECTION = (
    *ANOTHER_PAYMENT_METHOD,
    "alt_client_acct_group_id",
    "client_payment_method_id",
    "fraud_control_fields",
    "fraud_filter",
    "payment_application_method",
    "payment_method_no",
    "soft_descriptor",
    "soft_descriptor_customer_service",
    "specific_master_plan_instances_list",
)
EXTERNAL_PAYMENT = (
    "external_destination_id",
    "external_id",
    "specific_master_plan_instances_list",
)

"""Aria's arguments that are not supported, grouped by meaning.

They limit or change an act on money. So a call that sets one is refused (1016) instead of doing something else.
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
ORDER = (
    "alt_client_acct_group_id",
    "alt_inv_template_no",
    "client_alt_inv_template_id",
    "client_plan_instance_id",
    "contacts",
    "coupon_cd",
    "existing_pay_method_cvv",
    "fraud_control_fields",
    "fraud_filter",
    "fulfilled_date",
    "order_comments",
    "plan_instance_no",
    "soft_descriptor",
    "soft_descriptor_customer_service",
    "statement_message",
)
SERVICE_CREDIT = (
    "alt_service_no_to_apply",
    "client_alt_service_id_to_apply",
    "client_eligible_plan_id",
    "client_eligible_plan_instances",
    "client_eligible_service_plan_ids",
    "client_master_plan_instance_id",
    "client_percent_eval_plan_instance_id",
    "client_percent_eval_service_id",
    "credit_expiry_months",
    "credit_expiry_type_ind",
    "eligible_plan_instances",
    "eligible_plan_no",
    "eligible_service_plans",
    "eligible_service_types",
    "frequency_interval_type",
    "frequency_no",
    "initial_credit_date",
    "master_plan_instance_no",
    "percent_amount",
    "percent_eval_plan_instance_no",
    "percent_eval_service_no",
    "service_code_option",
)
"""Arguments of orders and of service credits."""

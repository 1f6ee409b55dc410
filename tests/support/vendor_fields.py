"""The output fields of method calls from the description of Aria's API (release 19): names by type, and those of rows."""

from typing import Any

FIELDS: dict[str, dict[str, Any]] = {
    "gen_invoice_m": {
        "long": "invoice_no out_acct_no out_billing_group_no",
        "text": "out_client_acct_id out_client_billing_group_id",
        "rows": {
            "third_party_errors": {
                "text": "error_class error_code error_msg",
            },
            "out_invoices_list": {
                "long": "invoicing_error_code invoice_no billing_group_no",
                "text": "invoicing_error_msg client_billing_group_id",
                "double": (
                    "invoice_charges_before_tax invoice_tax_charges invoice_charges_after_tax invoice_credit_amount "
                    "invoice_total_amount"
                ),
                "rows": {
                    "invoice_items": {},
                    "tax_details": {},
                    "third_party_errors": {},
                },
            },
        },
    },
    "gen_rb_m": {
        "long": "invoice_no collection_error_cd statement_error_cd reason_code",
        "text": (
            "collection_error_msg statement_error_msg proc_cvv_response proc_avs_response proc_cavv_response "
            "proc_status_code proc_status_text proc_payment_id proc_auth_code created_by created_date"
        ),
        "double": "amount",
        "rows": {
            "invoice_items": {
                "long": (
                    "invoice_line_no plan_no plan_instance_no service_no service_coa_id line_type "
                    "proration_remaining_days order_no item_no adv_billing_period_total_days rate_schedule_no "
                    "rate_schedule_tier_no bill_from_address_no ship_from_address_no bill_to_address_no "
                    "ship_to_address_no"
                ),
                "text": (
                    "client_plan_id client_plan_instance_id plan_name client_service_id service_name "
                    "client_service_coa_code line_description start_date_range end_date_range proration_text "
                    "proration_description credit_coupon_code client_sku client_item_id"
                ),
                "double": "units rate_per_unit line_amount base_plan_units proration_factor",
            },
            "tax_details": {
                "long": "tax_detail_line seq_num taxed_seq_num tax_authority_level orig_was_tax_inclusive",
                "double": "debit tax_rate",
                "text": ("tax_srv_tax_type_id tax_srv_tax_type_desc tax_srv_cat_text tax_srv_juris_nm tax_srv_tax_sum_text"),
            },
            "third_party_errors": {
                "text": "error_class error_code error_msg",
            },
        },
    },
    "get_pending_invoice_no_m": {
        "rows": {
            "pending_invoice": {
                "long": "invoice_no acct_no billing_group_no",
                "text": "client_master_plan_instance_id client_billing_group_id",
            },
        },
    },
    "manage_pending_invoice_m": {
        "long": "new_invoice_no acct_no billing_group_no collection_error_code statement_error_code",
        "text": (
            "client_acct_id client_billing_group_id collection_error_msg statement_error_msg "
            "proc_cvv_response proc_avs_response proc_cavv_response proc_status_code proc_status_text "
            "proc_payment_id proc_auth_code proc_merch_comments proc_initial_auth_txn_id"
        ),
        "rows": {
            "collection_errors": {
                "long": "collection_error_code",
                "text": "collection_error_msg",
            },
        },
    },
    "get_invoice_details_m": {
        "rows": {
            "invoice_line_details": {
                "long": (
                    "line_no service_no usage_type_no plan_no credit_reason_cd order_no item_no "
                    "adv_billing_period_total_days proration_remaining_days line_type rate_schedule_no "
                    "rate_schedule_tier_no plan_instance_no tax_related_ind svc_credit_source_invoice_no "
                    "svc_credit_source_line_no svc_credit_source_trans_id svc_credit_applied_line_no "
                    "svc_credit_applied_trans_id master_plan_instance_no invoice_transaction_id "
                    "bill_from_location_no ship_from_location_no bill_to_address_seq ship_to_address_seq rb_excluded"
                ),
                "text": (
                    "service_name description date_range_start date_range_end plan_name "
                    "credit_reason_code_description csr_comments client_sku client_service_id usage_type_cd "
                    "client_plan_id client_item_id proration_text proration_description client_rate_schedule_id "
                    "credit_coupon_code client_plan_instance_id client_acct_id client_mp_instance_id po_num "
                    "rb_line_comments"
                ),
                "double": "units rate_per_unit amount base_plan_units plan_units_change proration_factor",
            },
            "tax_details": {
                "long": "tax_detail_line seq_num taxed_seq_num tax_authority_level orig_was_tax_inclusive",
                "double": "debit tax_rate",
                "text": ("tax_srv_tax_type_id tax_srv_tax_type_desc tax_srv_cat_text tax_srv_juris_nm tax_srv_tax_sum_text"),
            },
        },
        "text": (
            "custom_status_label custom_status_desc client_notes invoice_type_cd from_date to_date "
            "client_billing_group_no acct_locale_name rb_status"
        ),
        "long": "rb_flag orig_invoice_no is_pending_ind_2 billing_group_no_2 acct_locale_no_2",
    },
    "get_invoice_history_m": {
        "rows": {
            "invoice_hist": {
                "long": (
                    "invoice_no outacct_no billing_group_no master_plan_no is_voided_ind orig_invoice_no rb_no "
                    "rb_reason_cd rb_flag"
                ),
                "text": (
                    "outclient_acct_id client_billing_group_id master_plan_name currency_cd bill_date paid_date "
                    "recurring_bill_from recurring_bill_thru usage_bill_from usage_bill_thru client_master_plan_id "
                    "invoice_type_cd rb_comments rb_status"
                ),
                "double": "amount credit",
            },
        },
    },
    "get_invoice_cm_details_m": {
        "text": "restriction_reason",
        "rows": {
            "invoice_cm_line_details": {
                "long": "line_no service_no item_no",
                "text": "service_name client_sku client_service_id client_item_id",
                "double": "amount max_credit_amount",
            },
        },
    },
    "get_statement_for_invoice_m": {
        "text": "out_statement mime_type",
    },
    "void_invoice_m": {
        "rows": {
            "void_transactions": {
                "long": "invoice_transaction_id void_transaction_id",
            },
        },
    },
    "get_payments_on_invoice_m": {
        "rows": {
            "invoice_payment_details": {
                "long": ("transaction_id transaction_type statement_no payment_method_no reason_code payment_terms_no"),
                "text": (
                    "description currency_code transaction_date is_voided payment_type payment_src_description "
                    "payment_src_suffix client_receipt_id seq_statement_id client_payment_method_id "
                    "reason_description payment_option client_payment_term_id payment_terms_name ean_gln_num "
                    "ean_gln_requisition_num bill_email payment_terms_type"
                ),
                "double": "amount applied_amount",
            },
        },
    },
    "record_external_payment_m": {
        "long": "transaction_id",
    },
    "collect_from_account_m": {
        "long": "transaction_id",
        "text": (
            "proc_cvv_response proc_avs_response proc_cavv_response proc_status_code proc_status_text "
            "proc_payment_id proc_auth_code proc_merch_comments proc_initial_auth_txn_id"
        ),
        "rows": {
            "collection_errors": {
                "long": "collection_error_code",
                "text": "collection_error_msg",
            },
            "proc_fraud_filtering_info": {
                "text": "proc_fraud_country_status proc_fraud_country_code",
            },
        },
    },
    "get_acct_trans_history_m": {
        "rows": {
            "history": {
                "long": "transaction_id transaction_type statement_no transaction_source_id invoice_no",
                "text": (
                    "transaction_desc transaction_currency transaction_create_date transaction_void_date "
                    "transaction_void_reason client_receipt_id transaction_comments transaction_ref_code "
                    "credit_reason_code_description csr_comments seq_statement_id"
                ),
                "double": "transaction_amount transaction_applied_amount",
            },
        },
    },
    "get_virtual_datetime_m": {
        "text": "virtual_date virtual_time system_date system_time is_batch_running",
        "long": "current_offset_hours",
    },
    "advance_virtual_datetime_m": {
        "text": "virtual_date virtual_time system_date system_time",
        "long": "current_offset_hours",
    },
}

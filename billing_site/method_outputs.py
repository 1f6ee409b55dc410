"""Outputs of method calls by type. A name means the same in every call."""

from collections.abc import Mapping

OUTPUT_NAMES: Mapping[str, str] = {
    "long": (
        "acct_contact_no_2 acct_locale_no_2 acct_no bill_contact_no_2 billing_group_no billing_group_no_2 cm_no "
        "cm_no_out cm_reason_cd_out collection_error_cd collection_error_code credit_id credit_no credit_reason_code "
        "current_offset_hours invoice_approval_required invoice_no invoicing_error_code_2 is_pending_ind "
        "is_pending_ind_2 master_plan_count new_invoice_no new_transaction_id order_no orig_invoice_no "
        "orig_invoice_no_2 out_acct_no out_billing_group_no out_transaction_id_2 plan_instance_no rb_flag rb_no "
        "rb_reason_cd reason_code record_count seq_no statement_error_cd statement_error_code status_cd "
        "supp_plan_count test_acct_ind transaction_id usage_rec_no"
    ),
    "double": (
        "amount applied_total_refund_amount applied_total_reversal_amount cm_total expectd_activation_fee "
        "proration_credit_amount proration_credit_result_amount proration_result_amount proration_tax_amount "
        "ptd_balance_amount total total_charges_after_tax total_charges_before_tax total_credit "
        "total_credit_before_tax total_tax_charges total_tax_credit unapp_svc_credit_bal_amount "
        "unapplied_payment_summary"
    ),
    "text": (
        "acct_currency acct_locale_name acct_start_date address1 address2 city client_acct_id client_billing_group_id "
        "client_billing_group_no client_cm_seq_id client_cm_seq_id_2 client_notes cm_comments_out "
        "collection_error_msg comments_out company_name country_cd created_by created_date credit_comments "
        "credit_ref_type credit_ref_type_out currency_cd current_balance_due custom_status_desc custom_status_label "
        "email excluded_line_nos first_name from_date invoice_type_cd invoicing_error_msg is_batch_running last_name "
        "mime_type out_client_acct_id out_client_billing_group_id out_statement phone postal_cd proc_auth_code "
        "proc_avs_response proc_cavv_response proc_cvv_response proc_initial_auth_txn_id proc_merch_comments "
        "proc_payment_id proc_status_code proc_status_text rb_comments rb_status reason_text recounted_line_nos "
        "restriction_reason state_prov statement_error_msg system_date system_time taxpayer_id to_date "
        "total_balance_due user_success_msg userid virtual_date virtual_datetime virtual_time"
    ),
    "number or text": "acct_balance",
    "rows": (
        "account_contact acct_payment_history acct_plan_line_items all_acct_plans_m all_client_plan_dtls "
        "applied_cash_credits billing_contacts cart_invoice_line_items cc_auth_details cm_applied_details cm_details "
        "cm_details_all cm_line_details cm_tax_details cm_void_transactions collection_errors collection_info "
        "error_records failed_records history inv_calc_out invoice_cm_line_details invoice_hist invoice_history "
        "invoice_items invoice_line_details invoice_line_items invoice_payment_details invoice_payments lines "
        "master_plan_instances master_plans_info other_contacts out_acct out_invoices_list payment_methods_info "
        "pending_invoice plan_service_rates plan_services_list proc_fraud_filtering_info reason_codes refund_details "
        "refundable_payments reversed_invoice_transactions statement_contacts statements_history tax_details "
        "third_party_errors unapplied_service_credits_details unbilled_usage_rec usage_history_recs void_transactions "
        "writeoff_dispute_details writeoff_transactions"
    ),
}

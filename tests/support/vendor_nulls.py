"""Outputs of the vendor's method calls that are null or left out, by the reason. A name is meant in every call; with a call or
rows before it, only there."""

NOT_KEPT = {
    "an account is billed as a whole: there are no billing groups, and no client's ids of plan instances": (
        "billing_group_no client_billing_group_id out_billing_group_no out_client_billing_group_id client_billing_group_no "
        "billing_group_no_2 client_master_plan_instance_id client_mp_instance_id client_plan_instance_id"
    ),
    "orders have no SKUs, and items no numbers": "client_sku item_no client_item_id",
    "texts are in the client's language": "acct_locale_no_2",
    "types of usage are services": "usage_type_cd",
    "accounts of the general ledger have codes, not numbers": "service_coa_id",
    "prices have no ids of the client": "client_rate_schedule_id",
    "line texts say it": "proration_description credit_reason_code_description csr_comments credit_reason_cd plan_units_change",
    "service credits are not followed to the lines that gave them": (
        "svc_credit_source_invoice_no svc_credit_source_line_no svc_credit_source_trans_id svc_credit_applied_line_no "
        "svc_credit_applied_trans_id"
    ),
    "tax authorities have names, not numbers": "tax_srv_tax_type_id",
    "gateways do not report it": "proc_cavv_response proc_merch_comments proc_initial_auth_txn_id proc_fraud_filtering_info",
    "payment terms are days": "payment_terms_no payment_terms_name payment_terms_type client_payment_term_id payment_option",
    "electronic invoices name the buyer": "ean_gln_num ean_gln_requisition_num bill_email",
    "payment methods have no ids of the client, and their labels no suffix": "client_payment_method_id payment_src_suffix",
    "a status has a label only": "custom_status_desc",
    "there are no backup contacts and no groups of billing, dunning, collection, or sequences": (
        "alt_msg_template_no backup_contacts backup_payment_method_id backup_payment_method_name backup_payment_method_no "
        "bg_list_start_master_file billing_group_description billing_group_name billing_groups_info bkup_address1 "
        "bkup_address2 bkup_address3 bkup_address_match_score bkup_address_verification_cd_2 bkup_billing_group_no "
        "bkup_birthdate bkup_cell_phone bkup_city bkup_client_billing_group_id bkup_company_name bkup_contact_no "
        "bkup_country bkup_email bkup_fax bkup_first_name bkup_last_name bkup_locality bkup_middle_initial bkup_phone "
        "bkup_phone_ext bkup_postal_cd bkup_state_prov bkup_work_phone bkup_work_phone_ext client_alt_msg_template_id "
        "client_backup_payment_method_id client_cn_alt_msg_template_id client_collections_acct_group_id "
        "client_def_billing_group_id client_dunning_group_id client_dunning_process_id client_functional_acct_group_id "
        "client_primary_payment_method_id collection_acct_group collection_group_bg_info collection_group_name "
        "collection_group_no collections_acct_group_no credit_memo_template credit_note_template default_notify_method "
        "dunning_degrade_date dunning_group_description dunning_group_name dunning_group_no dunning_process_no "
        "dunning_state dunning_step functional_acct_group functional_acct_group_no notify_method notify_template_group "
        "primary_payment_method_id primary_payment_method_name primary_payment_method_no rebill_template "
        "seq_func_group_no statement_template stmt_address1 stmt_address2 stmt_address3 stmt_address_match_score "
        "stmt_address_verification_cd_2 stmt_birthdate stmt_cell_phone stmt_city stmt_company_name stmt_contact_no "
        "stmt_country stmt_email stmt_email_list_bcc stmt_email_list_cc stmt_fax stmt_first_name stmt_last_name "
        "stmt_locality stmt_mi stmt_phone stmt_phone_ext stmt_postal_cd stmt_state_prov stmt_work_phone "
        "stmt_work_phone_ext"
    ),
    "contacts have one name, one phone and two lines of address": (
        "address3 address_match_score address_verification_cd_2 bill_address_match_score bill_address_verification_cd_2 "
        "bill_birthdate bill_fax bill_phone_ext bill_work_phone_ext birthdate cell_phone fax locality middle_initial "
        "other_address3 other_address_match_score other_address_verification_cd_2 other_birthdate other_cell_phone "
        "other_contact_details other_contact_idx other_fax other_locality other_middle_initial other_phone_ext "
        "other_work_phone other_work_phone_ext phone_ext stat_address3 stat_address_match_score "
        "stat_address_verification_cd_2 stat_birthdate stat_cell_phone stat_fax stat_locality stat_middle_initial "
        "stat_phone_ext stat_work_phone stat_work_phone_ext svc_location_address3 svc_location_locality work_phone "
        "work_phone_ext"
    ),
    "plans have no rollover, stages, supplements, items or groups": (
        "available_from_dt available_to_dt child_plans client_followup_rs_id client_parent_plan_instance_id "
        "client_plan_2_assign_on_susp client_rollover_plan_id contract_rollover_client_plan_id "
        "contract_rollover_client_rate_sched_id contract_rollover_plan_no contract_rollover_rate_sched "
        "contract_rollover_rate_sched_no display_ind early_cancel_fee first_retrieval_level_ind followup_rs_no "
        "init_free_months init_free_period_duration init_free_period_uom_cd initial_plan_status initial_plan_status_cd "
        "master_plan_product_fields mp_plan_inst_fields new_acct_status nso_group_item_scope nso_group_max_qty "
        "nso_group_min_qty nso_incl_list_scope nso_order_no nso_order_status_label parent_master_plan_inst_no "
        "parent_plan_instance_no parent_plans plan_2_assign_on_susp plan_groups plan_instance_fields_detail "
        "plan_instance_queue plan_instance_status_date plan_nso_group plan_nso_incl_list plan_nso_items "
        "plan_rate_schedules_details plan_supp_fields plan_translation_dtls prepaid_ind product_fields promo_cd "
        "promotional_plan_sets queue_id queue_type_ind rollover_acct_status rollover_acct_status_days rollover_months "
        "rollover_plan_duration rollover_plan_no rollover_plan_status rollover_plan_status_cd "
        "rollover_plan_status_duration rollover_plan_status_uom_cd rollover_plan_uom_cd status_date supp_field "
        "supp_field_name supp_field_value supp_plan_instance_no_out supp_plans_info suspension_period "
        "usage_accumulation_reset_counter usage_accumulation_reset_months usage_accumulation_reset_months_renewal_option "
        "usage_parent_rec_no"
    ),
    "plans are quoted before tax, by what the next invoice has for them": (
        "expectd_annu_recurring_cost expectd_mthly_recurring_cost proration_invoice_timing_cd proration_tax_amount "
        "ref_charge_line_no total"
    ),
    "usage has no thresholds, qualifiers or exclusions": (
        "client_mtd_delta_amount client_mtd_delta_sign client_mtd_threshold_amount client_ptd_delta_amount "
        "client_ptd_delta_sign client_ptd_threshold_amount exclude_reason_cd mpi_mtd_delta_amount mpi_mtd_delta_sign "
        "mpi_mtd_threshold_amount mpi_ptd_delta_amount mpi_ptd_delta_sign mpi_ptd_threshold_amount mtd_balance_amount "
        "threshold_balance_type threshold_dest_type threshold_levels threshold_units unapp_svc_credit_delta_amount "
        "unapp_svc_credit_delta_sign unit_threshold_details units_description usage_units_description "
        "usage_units_measured"
    ),
    "a service has its client id, GL code and location number only": (
        "apply_usage_rates_daily client_svc_location_id coa_id consumer_acct_ind fulfillment_based_ind "
        "invoice_activity_ind is_cancellation_ind is_donation_ind is_min_fee_ind is_misc_ind is_order_based_ind "
        "ledger_code rate_sched_is_default_ind svc_location_address1 svc_location_address2 svc_location_city "
        "svc_location_company_name svc_location_country svc_location_name svc_location_postal_cd svc_location_state_prov "
        "taxable_ind tiered_pricing_rule usage_type_desc usage_type_name usage_unit_label"
    ),
    "a refund reverses no lines, and a memo is applied to its invoice as a whole": (
        "client_item_id_out cm_applied_charge_id cm_applied_tax_event_id customer_facing_comments_out customer_note "
        "dispute_expiry_date item_no_out reversed_amount reversed_transaction_id reversing_date sku_out"
    ),
    "a new customer has no contract, session, statement contact or invoice: it is invoiced by a run, or by gen_invoice": (
        "contract_details invoice_info session_id statement_contact_details"
    ),
    "update_acct_complete changes the account and a contact: other calls change plans, children and invoices": (
        "master_plan_coll_error_code master_plan_coll_error_msg master_plan_error_code master_plan_error_msg "
        "master_plan_proration_amount master_plan_proration_credit_amount master_plan_proration_result_total_amount "
        "master_plan_proration_surcharge_amount master_plan_proration_tax_amount master_plan_stmt_error_code "
        "master_plan_stmt_error_msg out_client_master_plan_id out_client_supp_plan_instance_id out_invoice_no "
        "out_master_plan_instance_description out_master_plan_no parent_child_sync_error_code parent_child_sync_error_msg "
        "supp_plan_instance_id supp_plan_proration_amount supp_plan_proration_credit_amount "
        "supp_plan_proration_surcharge_amount supp_plan_proration_tax_amount"
    ),
    "payment methods have no contact": "bill_contact_no_2",
    "taxes have texts, no numbers": "tax_item_code",
    "cards are known by tokens only": (
        "bill_agreement_id cc_auth_details cc_id cc_string cc_suffix cc_type pay_method_type processor_id processor_name suffix"
    ),
    "the product has nothing of this kind": (
        "acct_coupon_cd acct_coupons acct_create_client_receipt_id acct_email_list_bcc "
        "acct_email_list_cc acct_locale_no acct_no_2 acct_surcharges_info amount_reserved_for_anniversary "
        "balance_forward_amount client_def_master_plan_instance_id client_legal_entity_id client_revrec_id "
        "client_service_id_to_apply coupon_codes currency_name eligible_plan_name future_rate_per_unit "
        "last_arrears_bill_thru_date legal_entity_name legal_entity_no_2 list_start_master_file "
        "master_plan_instance_balance master_plan_instance_desc master_plan_instance_description "
        "master_plan_instance_status master_plan_units master_plans_services monthly_fee mp_instance_status_label "
        "out_client_mp_instance_id out_master_plan_instance_no payment_application_details plan_instance_services "
        "rate_schedule_name rate_tier_description resp_level_cd revrec_profile_no senior_acct_no senior_acct_user_id "
        "senior_client_acct_id service_name_to_apply service_no_to_apply statement_master_plan_instances "
        "status_client_receipt_id surcharge_no surcharges_all tax_exemption_level usage_billing_interval"
    ),
    "payment methods are tokens: they have no contact, card or bank data": (
        "bill_address1 bill_address2 bill_address3 bill_cell_phone bill_city bill_company_name bill_contact_no bill_country "
        "bill_first_name bill_last_name bill_locality bill_middle_initial bill_phone bill_postal_cd bill_state_prov "
        "bill_work_phone bank_branch_cd bank_country_cd bank_id_cd bank_routing_num bank_swift_cd cc_expire_mm cc_expire_yyyy "
        "iban mandate_id"
    ),
    "prices are not chosen for an account by number, and no status ends by itself": (
        "alt_rate_schedule_no client_alt_rate_schedule_id status_degrade_date"
    ),
    "usage is of services, and has a description": (
        "usage_type exclusion_comments qualifier_1 qualifier_2 qualifier_3 qualifier_4 telco_from telco_to "
        "master_plan_instance_id"
    ),
    "a service credit is for one service or for all, and its reason is a text": (
        "client_eligible_plan_id eligible_plan_no eligible_service_types reason_cd"
    ),
    "no lines are reversed by a refund": "reversed_invoice_transactions",
    "only a failure has it": "third_party_errors collection_errors restriction_reason",
}
"""Names of the vendor that no call of ours fills, by the reason."""

NOT_IN_AN_EXAMPLE = {
    "of accounts with an id of the client": "out_client_acct_id",
    "of collections and statements that were made or failed": "collection_error_msg statement_error_msg",
    "of lines of other types, in parts of cycles, and with places": (
        "bill_from_address_no ship_from_address_no bill_from_location_no ship_from_location_no credit_coupon_code order_no "
        "proration_text rate_schedule_tier_no po_num rb_line_comments usage_bill_from usage_bill_thru"
    ),
    "of rebills, and of paid invoices": "orig_invoice_no rb_no rb_reason_cd rb_comments paid_date invoice_payment_details",
    "of records that are refused, disputes, voids, ended plans, bands, and locations": (
        "error_records usage_record_no dispute_creation_date voiding_event_no plan_deprovisioned_date to_unit svc_location_no"
    ),
    "of contacts of other roles, and of accounts with all they can have": (
        "billing_contacts statement_contacts other_contacts address2 company_name phone taxpayer_id pay_method_name"
    ),
    "of service credits for one service": "eligible_service_no eligible_service_name client_eligible_service_id",
    "of payments by a payment method, and with a reference": "bill_seq_no ref_payment_ref_code",
    "of payment methods that the gateway refuses, and of those that collect": "billing_errors collection_info",
    "of documents with notes": "client_notes custom_status_label",
    "of voids and payments": (
        "client_receipt_id transaction_comments transaction_ref_code transaction_void_date transaction_void_reason"
    ),
}
"""Names that calls fill, but in the answer to no example. Other tests show them."""


def names_without_value() -> set[str]:
    return {name for names in NOT_KEPT.values() for name in names.split()}


def why_null(where: str) -> bool:
    """Whether an output may be null, as in "get_cm_list_m: cm_details_all.cm_no". Its rows may be named too."""
    known = names_without_value() | {name for names in NOT_IN_AN_EXAMPLE.values() for name in names.split()}
    return any(part in known for part in where.partition(": ")[2].split("."))

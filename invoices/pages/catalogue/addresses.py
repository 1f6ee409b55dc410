"""The addresses of the pages of the catalogue."""

from django.urls import path

from invoices.pages.catalogue.coupons import (
    AddCoupon,
    AddSurcharge,
    ChangeCoupon,
    ChangeSurcharge,
    RemoveCoupon,
    RemoveSurcharge,
)
from invoices.pages.catalogue.dated_lists import (
    CouponList,
    CouponPage,
    SurchargeList,
    SurchargePage,
    TaxRateList,
    TaxRatePage,
)
from invoices.pages.catalogue.editors import (
    AddCharge,
    AddPlan,
    AddService,
    ChangeCharge,
    ChangePlan,
    ChangeService,
    RemoveCharge,
    RemovePlan,
    RemoveService,
    SetMinimum,
)
from invoices.pages.catalogue.lists import PlanList, PlanPage, ServiceList, ServicePage
from invoices.pages.catalogue.price_changes import ChangePrices
from invoices.pages.catalogue.prices import AddPrice, ChangePrice, RemovePrice
from invoices.pages.catalogue.tax_rates import AddTaxRate, ChangeTaxRate, RemoveTaxRate

catalogue_patterns = [
    path("catalogue/", PlanList.as_view(), name="catalogue"),
    path("catalogue/plans/new/", AddPlan.as_view(), name="new-plan"),
    path("catalogue/plans/<int:plan_no>/", PlanPage.as_view(), name="catalogue-plan"),
    path("catalogue/plans/<int:plan_no>/change/", ChangePlan.as_view(), name="change-catalogue-plan"),
    path("catalogue/plans/<int:plan_no>/remove/", RemovePlan.as_view(), name="remove-catalogue-plan"),
    path("catalogue/plans/<int:plan_no>/minimum/", SetMinimum.as_view(), name="set-plan-minimum"),
    path("catalogue/plans/<int:plan_no>/charges/new/", AddCharge.as_view(), name="add-charge"),
    path("catalogue/charges/<int:charge_no>/change/", ChangeCharge.as_view(), name="change-charge"),
    path("catalogue/charges/<int:charge_no>/remove/", RemoveCharge.as_view(), name="remove-charge"),
    path("catalogue/charges/<int:charge_no>/prices/new/", AddPrice.as_view(), name="add-price"),
    path("catalogue/prices/change/", ChangePrices.as_view(), name="change-prices"),
    path("catalogue/prices/<int:price_no>/change/", ChangePrice.as_view(), name="change-price"),
    path("catalogue/prices/<int:price_no>/remove/", RemovePrice.as_view(), name="remove-price"),
    path("catalogue/services/", ServiceList.as_view(), name="catalogue-services"),
    path("catalogue/services/new/", AddService.as_view(), name="new-service"),
    path("catalogue/services/<int:service_no>/", ServicePage.as_view(), name="catalogue-service"),
    path("catalogue/services/<int:service_no>/change/", ChangeService.as_view(), name="change-service"),
    path("catalogue/services/<int:service_no>/remove/", RemoveService.as_view(), name="remove-service"),
    path("catalogue/coupons/", CouponList.as_view(), name="coupons"),
    path("catalogue/coupons/new/", AddCoupon.as_view(), name="new-coupon"),
    path("catalogue/coupons/<int:coupon_no>/", CouponPage.as_view(), name="coupon"),
    path("catalogue/coupons/<int:coupon_no>/change/", ChangeCoupon.as_view(), name="change-coupon"),
    path("catalogue/coupons/<int:coupon_no>/remove/", RemoveCoupon.as_view(), name="remove-coupon"),
    path("catalogue/surcharges/", SurchargeList.as_view(), name="surcharges"),
    path("catalogue/surcharges/new/", AddSurcharge.as_view(), name="new-surcharge"),
    path("catalogue/surcharges/<int:surcharge_no>/", SurchargePage.as_view(), name="surcharge"),
    path("catalogue/surcharges/<int:surcharge_no>/change/", ChangeSurcharge.as_view(), name="change-surcharge"),
    path("catalogue/surcharges/<int:surcharge_no>/remove/", RemoveSurcharge.as_view(), name="remove-surcharge"),
    path("catalogue/tax-rates/", TaxRateList.as_view(), name="tax-rates"),
    path("catalogue/tax-rates/new/", AddTaxRate.as_view(), name="new-tax-rate"),
    path("catalogue/tax-rates/<int:tax_rate_no>/", TaxRatePage.as_view(), name="tax-rate"),
    path("catalogue/tax-rates/<int:tax_rate_no>/change/", ChangeTaxRate.as_view(), name="change-tax-rate"),
    path("catalogue/tax-rates/<int:tax_rate_no>/remove/", RemoveTaxRate.as_view(), name="remove-tax-rate"),
]

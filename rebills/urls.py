"""The back office's pages of rebills."""

from django.urls import path

from rebills.pages.building import RebillBuilder
from rebills.pages.differences import DifferencePage
from rebills.pages.documents import ExplanationPdf, RebillPage
from rebills.pages.lists import RebillList

urlpatterns = [
    path("rebills/", RebillList.as_view(), name="rebills"),
    path("rebills/<int:number>/", RebillPage.as_view(), name="rebilled"),
    path("rebills/<int:number>/explanation.pdf", ExplanationPdf.as_view(), name="explanation"),
    path("invoices/<int:number>/rebill/", RebillBuilder.as_view(), name="rebill"),
    path("invoices/<int:number>/difference/<int:other>/", DifferencePage.as_view(), name="difference"),
]

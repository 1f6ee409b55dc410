"""The back office's pages of rebills."""

from django.urls import path

from rebills.views.building import RebillBuilder
from rebills.views.differences import DifferencePage
from rebills.views.documents import RebillPage
from rebills.views.lists import RebillList

urlpatterns = [
    path("rebills/", RebillList.as_view(), name="rebills"),
    path("rebills/<int:number>/", RebillPage.as_view(), name="rebilled"),
    path("invoices/<int:number>/rebill/", RebillBuilder.as_view(), name="rebill"),
    path("invoices/<int:number>/difference/<int:other>/", DifferencePage.as_view(), name="difference"),
]

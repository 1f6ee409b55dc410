"""The back office's pages of rebills."""

from django.urls import path

from rebills.pages.adjusting import AdjustBuilder, VersionsPage
from rebills.pages.building import RebillBuilder
from rebills.pages.campaigns import CampaignActPage, CampaignItemPage, CampaignList, CampaignPage, CampaignStart
from rebills.pages.differences import DifferencePage
from rebills.pages.documents import ExplanationPdf, RebillPage
from rebills.pages.lists import RebillList
from rebills.pages.rechecking import CorrectRecheck, RecheckList
from rebills.pages.undoing import UndoPage

urlpatterns = [
    path("rebills/", RebillList.as_view(), name="rebills"),
    path("rebills/campaigns/", CampaignList.as_view(), name="campaigns"),
    path("rebills/campaigns/new/", CampaignStart.as_view(), name="start-campaign"),
    path("rebills/rechecks/", RecheckList.as_view(), name="rechecks"),
    path("rebills/rechecks/<int:number>/correct/", CorrectRecheck.as_view(), name="correct-recheck"),
    path("rebills/campaigns/<int:number>/", CampaignPage.as_view(), name="campaign"),
    path("rebills/campaigns/<int:number>/documents/<int:item>/", CampaignItemPage.as_view(), name="campaign-item"),
    path("rebills/campaigns/<int:number>/<slug:act>/", CampaignActPage.as_view(), name="campaign-act"),
    path("rebills/<int:number>/", RebillPage.as_view(), name="rebilled"),
    path("rebills/<int:number>/explanation.pdf", ExplanationPdf.as_view(), name="explanation"),
    path("rebills/<int:number>/undo/", UndoPage.as_view(), name="undo"),
    path("invoices/<int:number>/adjust/", AdjustBuilder.as_view(), name="adjust"),
    path("invoices/<int:number>/versions/", VersionsPage.as_view(), name="versions"),
    path("invoices/<int:number>/rebill/", RebillBuilder.as_view(), name="rebill"),
    path("invoices/<int:number>/difference/<int:other>/", DifferencePage.as_view(), name="difference"),
]

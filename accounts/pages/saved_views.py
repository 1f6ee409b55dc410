"""Choosing the columns of a list, and saving and removing its views."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import NoReverseMatch, Resolver404, resolve, reverse
from django.utils.translation import gettext

from accounts.pages.base import KNOWN_EVERYWHERE, StaffPage
from accounts.pages.lists import ListPage, kept_query
from accounts.services.saved_views import remove_view, save_view
from billing_site.common.limits import SAVED_VIEW_NAME_LENGTH
from billing_site.common.members import check_parameters
from billing_site.errors import BillingError, Detail, ErrorCode


class ViewForm(forms.Form):
    name = forms.CharField(max_length=SAVED_VIEW_NAME_LENGTH)
    is_shared = forms.BooleanField(required=False)


class SavedViews(StaffPage):
    """Each act returns to its list. `list_name` and `query` say which list is meant, and what it shows."""

    def post(self, request: HttpRequest) -> HttpResponse:
        page = list_page(request.POST.get("list_name", ""))
        self.check_may_see(page)
        query = QueryDict(request.POST.get("query", ""), mutable=True)
        check_parameters(query, {*page.parameters, *KNOWN_EVERYWHERE})
        act = request.POST.get("act", "")
        acts = {"columns": self._choose, "save": self._save, "remove": self._remove}
        if act not in acts:
            raise BillingError(ErrorCode.INVALID_DIRECTIVE, act[:30])
        acts[act](page, query)
        kept = kept_query(query, page.numbers)
        return redirect(reverse(page.address) + (f"?{kept}" if kept else ""))

    def check_may_see(self, page: type[ListPage]) -> None:
        """Refuse (90009) a reader who may not see the list."""
        if not self.may(page.needs):
            raise BillingError(ErrorCode.PERMISSION, Detail("seeing this list"))

    def _choose(self, page: type[ListPage], query: QueryDict) -> None:
        chosen = self.request.POST.getlist("column")
        names = [one.name for one in page.columns if one.name in chosen]
        if names and names != [one.name for one in page.columns if one.is_usual]:
            query["columns"] = ",".join(names)
        else:
            query.pop("columns", None)

    def _save(self, page: type[ListPage], query: QueryDict) -> None:
        form = ViewForm(self.request.POST)
        if not form.is_valid():
            name, errors = next(iter(form.errors.items()))
            raise BillingError(ErrorCode.INVALID_INPUT, Detail("{name}: {why}", name=name, why=str(errors[0])), field=name)
        chosen = form.cleaned_data
        kept = kept_query(query, page.numbers)
        view = save_view(client=self.client, staff=self.request.user, list_name=page.address, query=kept, **chosen)
        messages.success(self.request, gettext("View saved: %(name)s.") % {"name": view.name})

    def _remove(self, page: type[ListPage], query: QueryDict) -> None:
        name = self.request.POST.get("name", "")
        if remove_view(client=self.client, staff=self.request.user, list_name=page.address, name=name):
            messages.success(self.request, gettext("View removed: %(name)s.") % {"name": name})
        else:
            messages.warning(self.request, gettext("You have no saved view with this name."))


def list_page(name: str) -> type[ListPage]:
    """Return the list of this address. Refuses (1016) other names."""
    try:
        view: Any = getattr(resolve(reverse(name)).func, "view_class", None)
    except (NoReverseMatch, Resolver404):
        view = None
    if view is None or not issubclass(view, ListPage):
        raise BillingError(ErrorCode.INVALID_INPUT, Detail("list_name: there is no such list"), field="list_name")
    page: type[ListPage] = view
    return page

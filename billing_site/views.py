"""The page at the root of the site."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def home(request: HttpRequest) -> HttpResponse:
    """Says what this is, and where its doors are."""
    return render(request, "home.html")

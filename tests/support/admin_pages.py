"""Addresses of admin pages, and what the pages show."""

from django.contrib.messages import get_messages
from django.urls import reverse


def page_url(model, page, *args):
    return reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_{page}", args=args)


def add_url(model):
    return page_url(model, "add")


def change_url(row):
    return page_url(row, "change", row.pk)


def delete_url(row):
    return page_url(row, "delete", row.pk)


def list_url(model):
    return page_url(model, "changelist")


def act(browser, model, action, *rows, **data):
    """Run an action on selected rows of a list."""
    return browser.post(list_url(model), {"action": action, "_selected_action": rows, **data}, follow=True)


def decide(browser, model, action, *rows):
    """Select documents of a list, read the announcement, and confirm."""
    return say_yes(browser, model, act(browser, model, action, *rows))


def say_yes(browser, model, question):
    posted = {
        "_selected_action": question.context["ticked"],
        **{name: question.context[name] for name in ("action", "numbers")},
    }
    return browser.post(list_url(model), posted)


def results(response):
    """Return the result of each document as the page shows it, those not done first."""
    return [row.words for row in response.context["rows"]]


def texts(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def errors(response):
    return response.context["adminform"].form.errors


def no_rows(*prefixes):
    """Return the form data of tables without rows to change."""
    return {f"{prefix}-{count}_FORMS": 0 for prefix in prefixes for count in ("TOTAL", "INITIAL")}


def rows(prefix, *added, kept=()):
    """Return the form data of a table: existing rows with their ids, and added rows."""
    posted = {f"{prefix}-TOTAL_FORMS": len(kept) + len(added), f"{prefix}-INITIAL_FORMS": len(kept)}
    for place, row in enumerate([*kept, *added]):
        posted |= {f"{prefix}-{place}-{name}": value for name, value in row.items()}
    return posted

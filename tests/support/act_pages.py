"""Do an act on its page: preview it, and confirm what was previewed."""

import re
import secrets


def seen_on(answer):
    """Return what binds the act to the preview that a page shows."""
    return re.search(r'name="seen" value="([^"]*)"', answer.content.decode()).group(1)


def send(staff, address, **fields):
    """Preview an act and confirm it. Returns the page that is shown then."""
    preview = staff.post(address, {**fields, "act": "preview"})
    return staff.post(address, {**fields, "seen": seen_on(preview), "once": secrets.token_hex(16)}, follow=True)

"""Counts what a person does on a page of the browser tests."""


class Clicks:
    """Counts what a person does on a page: links, buttons and boxes that they press, and fields that they fill in."""

    def __init__(self, page):
        self.page, self.count = page, 0

    def press(self, role, name):
        self.count += 1
        self.page.get_by_role(role, name=name, exact=True).click()

    def fill(self, label, text):
        self.count += 1
        self.page.get_by_label(label).fill(text)

    def choose(self, label):
        """Choose the first option that means something."""
        self.count += 1
        self.page.get_by_label(label).select_option(index=1)

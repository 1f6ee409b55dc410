"""Helpers that tests share: acts in one line, prepared data, and readers of results. There are no tests here."""

"""Reports for accountants: what is owed, what is taxed, and what is booked. Pages, the API and commands read them here."""

"""Import a company's customers from a file: accounts, contacts, payment methods, catalogue and plan instances."""

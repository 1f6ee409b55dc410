"""Documents as they are printed: their texts, their PDFs, and the files that are kept."""

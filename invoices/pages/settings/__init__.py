"""Pages of the client's settings: what each does, who changed it, number series, reasons and API keys."""

"""Issue documents, and collect and send them afterwards."""

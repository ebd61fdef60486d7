"""The operator's web page: what exists, what is happening, what went wrong."""

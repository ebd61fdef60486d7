"""The edge: authenticate, read, validate, enqueue, confirmed."""

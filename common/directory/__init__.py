"""The directory: who may send, and what their fields mean."""

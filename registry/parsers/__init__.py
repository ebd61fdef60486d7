"""Payload parsers: authors' JavaScript, run in processes of their own on what devices post."""

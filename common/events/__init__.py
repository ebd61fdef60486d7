"""Live events: what happens to each uplink, for whoever watches (docs/adr/0012-live-events.md)."""

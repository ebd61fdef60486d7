"""Networks, serial numbers, tokens, connectors, devices, authorizations, data: TagoIO's network integration."""

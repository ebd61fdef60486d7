"""From the fields of an uplink, wherever its sender puts them, to the records that TagoIO stores. Pure."""

"""The text of a directory's file with one network and one key, as the tests of the operator's tools have it."""


def write_directory(*, serial_format: str, field_map: str, network_token: str = "n-SECRET") -> str:
    """Give the file's content; its secrets have SECRET in them, and may be shown nowhere."""
    return f"""
[downstream]
url = "https://api.example"

[networks.lorawan]
token = "{network_token}"
serial = {{ format = "{serial_format}", force_case = "upper" }}

[authorizations.factory]
token = "at-SECRET"
network = "lorawan"
additional_parameters = "{field_map}"
"""

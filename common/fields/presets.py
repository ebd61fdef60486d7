"""Field maps of known network servers, as the text that a key's additional parameters would say.

Only what plain paths can say: an event that is no uplink (a join, a downlink ack) is mapped like one.
"""

from collections.abc import Mapping
from difflib import get_close_matches

PRESETS: Mapping[str, str] = {
    "actility": (
        "serial=DevEUI_uplink.DevEUI;payload=DevEUI_uplink.payload_hex;port=DevEUI_uplink.FPort;time=DevEUI_uplink.Time"
    ),
    "aws-iot-core": (
        "serial=WirelessMetadata.LoRaWAN.DevEui;payload=PayloadData;encoding=base64;"
        "port=WirelessMetadata.LoRaWAN.FPort;time=WirelessMetadata.LoRaWAN.Timestamp"
    ),
    # One of the two marshalers of v3 writes the EUI in base64. The uplink has no time but the receiving gateway's.
    "chirpstack-v3": (
        "serial=devEUI;serial_encoding=base64;payload=data;encoding=base64;port=fPort;time=rxInfo.0.time"
    ),
    "chirpstack-v4": "serial=deviceInfo.devEui;payload=data;encoding=base64;port=fPort;time=time",
    "everynet": "serial=meta.device;payload=params.payload;encoding=base64;port=params.port;time=params.rx_time",
    "helium": "serial=dev_eui;payload=payload;encoding=base64;port=port;time=reported_at",
    # SenML records stand in any order, so that no path leads to the one with the payload.
    "kpn-senml": "array=one;serial=0.bn;time=0.bt",
    "loriot": "serial=EUI;payload=data;port=port;time=ts",
    "machineq": "serial=DevEUI;payload=payload_hex;port=FPort;time=Time",
    "milesight": "serial=devEUI;payload=data;encoding=base64;port=fPort;time=time",
    "netmore": "array=one;serial=0.v.devEui;payload=0.v.payload;port=0.v.fPort;time=0.v.timestamp",
    "objenious": ("serial=device_properties.deveui;payload=payload_cleartext;port=protocol_data.port;time=timestamp"),
    "orbiwise": "serial=deveui;payload=dataFrame;encoding=base64;port=port;time=timestamp",
    "sigfox": "serial=device;payload=data;time=time",
    # The payload comes as raw bytes or already decoded; the latter become variables of their own.
    "tektelic": ("serial=payloadMetaData.deviceMetaData.deviceEUI;payload=payload.bytes;port=payloadMetaData.fport"),
    "thingpark-x": "serial=DevEUI;payload=payload_hex;port=FPort;time=Time",
    "tts-v3": (
        "serial=end_device_ids.dev_eui;payload=uplink_message.frm_payload;encoding=base64;"
        "port=uplink_message.f_port;time=received_at"
    ),
    "ttn-v2": "serial=hardware_serial;payload=payload_raw;encoding=base64;port=port;time=metadata.time",
}


def closest_presets(name: str) -> list[str]:
    """Give the presets whose names are like ``name``, the most similar first; all of them where none is."""
    return get_close_matches(name.lower(), PRESETS) or list(PRESETS)

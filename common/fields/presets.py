"""Field maps of known network servers, as the text that a key's additional parameters would say."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class Preset:
    """The map of one network server.

    ``marks`` are paths to fields that nobody reads, but that tell its items from those of a server that is like it.
    """

    server: str
    text: str
    marks: tuple[str, ...] = ()


_THINGPARK_EVENTS = (
    "DevEUI_downlink_Sent,DevEUI_downlink_Rejected,DevEUI_location,DevEUI_notification,DevEUI_multicast_summary"
)

PRESETS: Mapping[str, Preset] = {
    "actility": Preset(
        "Actility ThingPark; Digita, ER-Telecom, KPN, Swisscom",
        "serial=DevEUI_uplink.DevEUI;payload=DevEUI_uplink.payload_hex;port=DevEUI_uplink.FPort;"
        f"time=DevEUI_uplink.Time;set_aside={_THINGPARK_EVENTS}",
    ),
    "aws-iot-core": Preset(
        "AWS IoT Core for LoRaWAN",
        "serial=WirelessMetadata.LoRaWAN.DevEui;payload=PayloadData;encoding=base64;"
        "port=WirelessMetadata.LoRaWAN.FPort;time=WirelessMetadata.LoRaWAN.Timestamp;set_aside=eventType",
        ("WirelessDeviceId",),
    ),
    # One of the two marshalers of v3 writes the EUI in base64. The uplink has no time but the receiving gateway's.
    "chirpstack-v3": Preset(
        "ChirpStack v3",
        "serial=devEUI;serial_encoding=base64;payload=data;encoding=base64;port=fPort;time=rxInfo.0.time;"
        "set_aside=event!=up",
        ("rxInfo.0.gatewayID", "applicationID", "fCnt"),
    ),
    "chirpstack-v4": Preset(
        "ChirpStack v4",
        "serial=deviceInfo.devEui;payload=data;encoding=base64;port=fPort;time=time;set_aside=event!=up",
        ("deduplicationId", "deviceInfo.tenantId"),
    ),
    "everynet": Preset(
        "Everynet",
        "serial=meta.device;payload=params.payload;encoding=base64;port=params.port;time=params.rx_time;"
        "set_aside=type!=uplink",
        ("meta.packet_hash", "type"),
    ),
    "helium": Preset(
        "Helium Console",
        "serial=dev_eui;payload=payload;encoding=base64;port=port;time=reported_at;set_aside=type=join",
        ("app_eui", "hotspots"),
    ),
    # The server says itself how it encodes; where it does not, the payload goes on as it came.
    "kerlink-wanesy": Preset(
        "Kerlink Wanesy",
        "serial=endDevice.devEui;payload=payload;encoding_field=encodingType;port=fPort;time=recvTime;"
        "set_aside=dataDownId",
        ("endDevice.devAddr", "fCntUp"),
    ),
    # SenML: records in any order, of which the first says who and when.
    "kpn-senml": Preset(
        "KPN Things (SenML)",
        "array=one;serial=0.bn;payload=[n=payload].vs;port=[n=port].v|vs;time=0.bt",
    ),
    "loriot": Preset(
        "LORIOT",
        "serial=EUI;payload=data;port=port;time=ts;set_aside=cmd!=rx",
        ("cmd", "fcnt"),
    ),
    "machineq": Preset(
        "MachineQ",
        "serial=DevEUI;payload=payload_hex;port=FPort;time=Time",
        ("SpreadingFactor", "GatewayList"),
    ),
    "milesight": Preset(
        "Milesight gateway",
        "serial=devEUI;payload=data;encoding=base64;port=fPort;time=time;set_aside=acknowledged",
        ("rxInfo.0.mac", "applicationID", "fCnt"),
    ),
    "netmore": Preset(
        "Netmore",
        "array=one;serial=0.v.devEui;payload=0.v.payload;port=0.v.fPort;time=0.v.timestamp",
    ),
    "objenious": Preset(
        "Objenious",
        "serial=device_properties.deveui;payload=payload_cleartext;port=protocol_data.port;time=timestamp;"
        "set_aside=type=join,type=downlink",
        ("device_id", "type"),
    ),
    "orbiwise": Preset(
        "OrbiWise",
        "serial=deveui;payload=dataFrame;encoding=base64;port=port;time=timestamp",
        ("fcnt",),
    ),
    # What a callback holds is configured at Sigfox, under the names of its variables.
    "sigfox": Preset(
        "Sigfox",
        "serial=device;payload=data;time=time;set_aside=infoCode,downlinkAck",
        ("seqNumber", "station|rssi|snr"),
    ),
    # The payload comes as raw bytes or already decoded; the latter become variables of their own.
    "tektelic": Preset(
        "Tektelic",
        "serial=payloadMetaData.deviceMetaData.deviceEUI;payload=payload.bytes|data;port=payloadMetaData.fport",
        ("payloadMetaData.fcount",),
    ),
    "thingpark-x": Preset(
        "Actility ThingPark X, flat",
        f"serial=DevEUI;payload=payload_hex;port=FPort;time=Time;set_aside={_THINGPARK_EVENTS}",
        ("SpFact", "CustomerID"),
    ),
    "tts-v3": Preset(
        "The Things Stack v3",
        "serial=end_device_ids.dev_eui;payload=uplink_message.frm_payload;encoding=base64;"
        "port=uplink_message.f_port;time=received_at;"
        "set_aside=join_accept,downlink_ack,downlink_nack,downlink_sent,downlink_failed,downlink_queued,"
        "downlink_queue_invalidated,location_solved,service_data",
        ("end_device_ids.device_id",),
    ),
    "ttn-v2": Preset(
        "The Things Network v2",
        "serial=hardware_serial;payload=payload_raw;encoding=base64;port=port;time=metadata.time",
        ("app_id", "dev_id"),
    ),
}


def closest_presets(name: str) -> list[str]:
    """Give the presets whose names are like ``name``, the most similar first; all of them where none is."""
    return get_close_matches(name.lower(), PRESETS) or list(PRESETS)

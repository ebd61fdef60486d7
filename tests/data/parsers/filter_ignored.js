// Keep what is of use, drop what the network server adds.
const ignored = ['snr', 'gateway_id', 'uplink_url'];
payload = payload.filter(x => !ignored.includes(x.variable));

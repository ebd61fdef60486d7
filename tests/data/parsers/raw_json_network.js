if (!Array.isArray(payload) && payload.devEUI) {
  serial = payload.devEUI.toUpperCase();
  const { data, fPort, rxInfo = [] } = payload;
  payload = [
    { variable: 'payload', value: Buffer.from(data, 'base64').toString('hex') },
    { variable: 'port', value: fPort },
    ...rxInfo.map((gateway, i) => ({ variable: `rssi_${i}`, value: gateway.rssi })),
  ];
}

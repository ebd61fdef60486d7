const b = Buffer.from(payload[0].value, 'hex');
payload = [
  { variable: 'f_be', value: b.readFloatBE(0) }, { variable: 'f_le', value: b.readFloatLE(0) },
  { variable: 'd_be', value: b.readDoubleBE(0) }, { variable: 'd_le', value: b.readDoubleLE(0) },
];

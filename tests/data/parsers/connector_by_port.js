const port = payload.find(x => x.variable === 'port' || x.variable === 'fport');
const raw = payload.find(x => x.variable === 'payload');
const decoders = {
  1: b => ({ battery: b[0] / 10 }),
  2: b => ({ latitude: b.readInt32LE(0) / 1e7, longitude: b.readInt32LE(4) / 1e7 }),
  85: b => ({ hex: b.toString('hex') }),
};
const decode = port && decoders[Number(port.value)];
if (decode && raw) {
  const values = decode(Buffer.from(raw.value, 'hex'));
  for (var name in values) payload.push({ variable: name, value: values[name], group: raw.group });
}

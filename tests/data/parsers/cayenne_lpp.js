/* Cayenne LPP: channel, type, value; the length follows from the type. */
const TYPES = {
  0: { size: 1, name: 'digital_in', divisor: 1 }, 1: { size: 1, name: 'digital_out', divisor: 1 },
  2: { size: 2, name: 'analog_in', divisor: 100, signed: true }, 3: { size: 2, name: 'analog_out', divisor: 100, signed: true },
  101: { size: 2, name: 'illuminance', divisor: 1, unit: 'lux' }, 102: { size: 1, name: 'presence', divisor: 1 },
  103: { size: 2, name: 'temperature', divisor: 10, signed: true, unit: '°C' },
  104: { size: 1, name: 'humidity', divisor: 2, unit: '%' },
  113: { size: 6, name: 'accelerometer', divisor: 1000, signed: true },
  115: { size: 2, name: 'pressure', divisor: 10, unit: 'hPa' },
  136: { size: 9, name: 'gps' },
};
const raw = payload.find(x => x.variable === 'payload');
const buffer = Buffer.from(raw.value, 'hex');
const decoded = [];
let at = 0;
while (at + 2 <= buffer.length) {
  const channel = buffer[at++];
  const type = TYPES[buffer[at++]];
  if (!type) throw new Error('unknown type ' + buffer[at - 1] + ' at byte ' + (at - 1));
  const part = buffer.slice(at, at + type.size);
  at += type.size;
  if (type.name === 'gps') {
    const lat = part.readIntBE(0, 3) / 10000, lng = part.readIntBE(3, 3) / 10000;
    decoded.push({ variable: 'gps_' + channel, value: lat + ',' + lng, location: { lat, lng }, metadata: { altitude: part.readIntBE(6, 3) / 100 } });
  } else if (type.name === 'accelerometer') {
    ['x', 'y', 'z'].forEach((axis, i) => decoded.push({ variable: `accelerometer_${axis}_${channel}`, value: part.readInt16BE(i * 2) / type.divisor }));
  } else {
    const number = type.signed ? part.readIntBE(0, type.size) : part.readUIntBE(0, type.size);
    decoded.push({ variable: type.name + '_' + channel, value: number / type.divisor, unit: type.unit });
  }
}
payload = decoded.map(x => Object.assign({ group: raw.group, time: raw.time }, x));

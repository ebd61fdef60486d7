const b = Buffer.from(payload[0].value, 'hex');
let crc = 0xffff;
for (const byte of b.subarray(0, -2)) {
  crc ^= byte;
  for (let k = 0; k < 8; k++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
}
const expected = b.readUInt16LE(b.length - 2);
payload = crc === expected ? [{ variable: 'valid', value: true }] : [{ variable: 'valid', value: false, metadata: { crc, expected } }];

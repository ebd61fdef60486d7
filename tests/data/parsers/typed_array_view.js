const bytes = Buffer.from(payload[0].value, 'hex');
const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const copy = Uint8Array.from(bytes);
const shorts = new Int16Array(copy.buffer.slice(0, 4));
payload = [
  { variable: 'f32', value: view.getFloat32(0) }, { variable: 'i16', value: view.getInt16(2, true) },
  { variable: 'sum', value: copy.reduce((a, b) => a + b) }, { variable: 'short', value: shorts[0] },
  { variable: 'mapped', value: Buffer.from(bytes.map((b) => b ^ 0xff)).toString('hex') },
];

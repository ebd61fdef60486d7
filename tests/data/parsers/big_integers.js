const buffer = Buffer.from(payload.find(p => p.variable === 'payload').value, 'hex');
const total = buffer.readBigUInt64BE(0);
const difference = buffer.readBigInt64LE(0);
payload = [
  { variable: 'total', value: Number(total) },
  { variable: 'total_text', value: total.toString() },
  { variable: 'difference', value: String(difference) },
  { variable: 'liters', value: Number(total / 1000n) },
];

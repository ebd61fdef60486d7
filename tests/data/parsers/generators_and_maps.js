function* chunks(buffer, size) { for (let i = 0; i < buffer.length; i += size) yield buffer.subarray(i, i + size); }
const counts = new Map();
for (const chunk of chunks(Buffer.from(payload[0].value, 'hex'), 2)) {
  const key = chunk.toString('hex');
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
payload = [...counts].map(([key, value]) => ({ variable: 'n_' + key, value }));
payload.push({ variable: 'distinct', value: new Set(counts.keys()).size });

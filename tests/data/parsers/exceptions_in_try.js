try {
  const raw = payload.find(x => x.variable === 'payload');
  const b = Buffer.from(raw.value, 'hex');
  payload.push({ variable: 'pressure', value: b.readUInt32BE(2) });
} catch (e) {
  payload.push({ variable: 'parse_error', value: e.message, metadata: { name: e.name, code: e.code } });
} finally {
  payload.push({ variable: 'done', value: true });
}

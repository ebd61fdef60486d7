const raw = payload.find(x => x.variable === 'payload');
if (raw.value.length < 4) {
  throw new Error('payload is too short: ' + raw.value);
}
payload = [];

const raw = payload.find(x => x.variable === 'payload_b64');
const bytes = Buffer.from(raw.value, 'base64');
payload = [
  { variable: 'text', value: bytes.toString('utf8') },
  { variable: 'hex', value: bytes.toString('hex').toUpperCase() },
  { variable: 'again', value: bytes.toString('base64') },
  { variable: 'safe', value: bytes.toString('base64url') },
];

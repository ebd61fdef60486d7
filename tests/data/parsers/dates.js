const raw = payload.find(x => x.variable === 'payload');
const b = Buffer.from(raw.value, 'hex');
const seconds = b.readUInt32BE(0);
const time = new Date(seconds * 1000);
const local = new Date(2000 + b[4], b[5] - 1, b[6], b[7], b[8]);
payload = [
  { variable: 'a', value: 1, time },
  { variable: 'b', value: time.toISOString(), time: seconds * 1000 },
  { variable: 'c', value: local.getTime(), time: local.toISOString() },
  { variable: 'd', value: new Date(raw.time).getUTCHours(), time: raw.time },
  { variable: 'e', value: local.getTimezoneOffset() },
];

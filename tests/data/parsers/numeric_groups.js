const raw = payload.find(x => x.variable === 'payload');
const serie = new Date(raw.time).getTime();
payload = [
  { variable: 'a', value: 1, serie },
  { variable: 'b', value: 2, group: 17 },
  { variable: 'c', value: null, group: String(serie) },
  { variable: 'd', value: NaN, time: serie },
  { variable: 'e', value: undefined },
];

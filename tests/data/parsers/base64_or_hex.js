const raw = payload.find(x => x.variable === 'payload');
const isHex = /^[0-9a-f]*$/i.test(raw.value) && raw.value.length % 2 === 0;
const bytes = isHex ? Buffer.from(raw.value, 'hex') : new Buffer(raw.value, 'base64');
payload.push({ variable: 'encoding', value: isHex ? 'hex' : 'base64' }, { variable: 'sum', value: [...bytes].reduce((a, b) => a + b, 0) });

const b = Buffer.from(payload[0].value, 'hex');
const words = Buffer.from(b).swap16();
payload = [
  { variable: 'swapped', value: words.toString('hex') },
  { variable: 'reversed', value: Buffer.from(b).reverse().readUInt32LE(0) },
  { variable: 'kept', value: b.toString('hex') },
  { variable: 'json', value: JSON.stringify(b) },
  { variable: 'mid', value: b.slice(1, -1).length }, { variable: 'utf16', value: Buffer.from('Ωm', 'utf16le').toString('hex') },
];

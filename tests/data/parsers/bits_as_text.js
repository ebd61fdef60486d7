const hex = payload.find((x) => x.variable === 'payload').value;
let bits = '';
for (const digit of hex) bits += parseInt(digit, 16).toString(2).padStart(4, '0');
payload = [
  { variable: 'bits', value: bits },
  { variable: 'first_six', value: parseInt(bits.slice(0, 6), 2) },
  { variable: 'rest', value: parseInt(bits.substr(6), 2) },
];

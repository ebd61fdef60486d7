const out = Buffer.alloc(20, 0xee);
out.writeUInt16BE(513, 0);
out.writeInt32LE(-5, 2);
out.writeFloatBE(1.5, 6);
out.writeUIntBE(0x010203, 10, 3);
out.write('héllo', 13);
const joined = Buffer.concat([Buffer.from([1, 2, 3]), out, Buffer.from('fin')]);
payload = [
  { variable: 'hex', value: joined.toString('hex') },
  { variable: 'at', value: joined.indexOf('fin') }, { variable: 'last', value: joined.lastIndexOf(0xee) },
  { variable: 'equal', value: joined.slice(0, 3).equals(Buffer.from('010203', 'hex')) },
  { variable: 'has', value: joined.includes(Buffer.from([0x02, 0x03])) },
];

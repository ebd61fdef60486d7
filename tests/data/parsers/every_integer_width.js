const b = Buffer.from(payload[0].value, "hex");
const out = {
  i8: b.readInt8(0), u8: b.readUInt8(0),
  i16be: b.readInt16BE(0), i16le: b.readInt16LE(0), u16be: b.readUInt16BE(0), u16le: b.readUInt16LE(0),
  i32be: b.readInt32BE(0), i32le: b.readInt32LE(0), u32be: b.readUInt32BE(0), u32le: b.readUInt32LE(0),
  i24be: b.readIntBE(0, 3), i24le: b.readIntLE(0, 3), u24be: b.readUIntBE(0, 3), u24le: b.readUIntLE(0, 3),
  i40be: b.readIntBE(0, 5), i48le: b.readIntLE(0, 6), u48be: b.readUIntBE(0, 6), u40le: b.readUIntLE(0, 5),
};
payload = Object.keys(out).map((variable) => ({ variable, value: out[variable] }));

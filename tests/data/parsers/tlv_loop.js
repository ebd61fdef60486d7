const raw = payload.find((p) => p.variable === "payload" || p.variable === "frm_payload");
const bytes = Buffer.from(raw.value, "hex");
const names = { 0x01: "temperature", 0x02: "battery", 0x10: "serial_text" };
const found = [];
for (let i = 0; i < bytes.length; ) {
  const tag = bytes.readUInt8(i), length = bytes.readUInt8(i + 1);
  const value = bytes.subarray(i + 2, i + 2 + length);
  i += 2 + length;
  switch (tag) {
    case 0x01: found.push({ variable: names[tag], value: value.readInt16LE(0) / 10 }); break;
    case 0x02: found.push({ variable: names[tag], value: value[0] }); break;
    case 0x10: found.push({ variable: names[tag], value: value.toString("ascii") }); break;
    default: found.push({ variable: `tag_${tag.toString(16)}`, value: value.toString("hex") });
  }
}
payload = [...payload, ...found];

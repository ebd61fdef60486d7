const raw = payload.find(x => x.variable === "payload");
const b = Buffer.from(raw.value, "hex");
const flags = b[0];
const packed = (b[1] << 16) | (b[2] << 8) | b[3];
payload = [
  { variable: "open", value: !!(flags & 0x01) },
  { variable: "tamper", value: Boolean((flags >> 1) & 1) },
  { variable: "mode", value: (flags >>> 4) & 0x0f },
  { variable: "counter", value: packed >>> 10 },
  { variable: "level", value: packed & 0x3ff },
  { variable: "inverted", value: ~flags & 0xff },
].map(x => ({ ...x, group: raw.group, time: raw.time }));

raw = payload.find(x => x.variable == "payload");
bytes = Buffer.from(raw.value, "hex");
result = [];
for (i = 0; i < bytes.length; i++) {
  result.push({ variable: "byte_" + i, value: bytes[i], group: raw.group });
}
payload = result;

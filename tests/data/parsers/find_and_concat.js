// The most common form: find the payload, add what it holds, keep what came.
const raw = payload.find((x) => x.variable === "payload");
if (raw) {
  const bytes = Buffer.from(raw.value, "hex");
  const group = raw.group;
  payload = payload.concat([
    { variable: "temperature", value: bytes.readInt16BE(0) / 100, unit: "°C", group, time: raw.time },
    { variable: "humidity", value: bytes[2] / 2, unit: "%", group, time: raw.time },
  ]);
}

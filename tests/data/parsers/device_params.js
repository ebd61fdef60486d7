const offset = device.params.find((p) => p.key === "offset");
const unit = (device.params.find(({ key }) => key === "unit") || {}).value || "C";
const site = device.tags.find((t) => t.key === "site").value;
const raw = payload.find((x) => x.variable === "payload");
let value = Buffer.from(raw.value, "hex").readInt16BE() / 10 + Number(offset ? offset.value : 0);
if (unit === "F") value = (value * 9) / 5 + 32;
payload = [{ variable: "temperature", value: +value.toFixed(2), unit, metadata: { site, device: device.id } }];

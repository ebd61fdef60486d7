function readTemperature(b, at) { return signed(b[at] << 8 | b[at + 1], 16) / 10; }
function signed(value, bits) { return value >= Math.pow(2, bits - 1) ? value - Math.pow(2, bits) : value; }
var input = payload.find(isPayload);
function isPayload(item) { return ["payload", "payload_raw", "data"].includes(item.variable); }
if (input) payload.push({ variable: "temperature", value: readTemperature(Buffer.from(input.value, "hex"), 0), unit: "C" });

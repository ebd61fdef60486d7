const b = Buffer.from(payload.find(x => x.variable === "payload").value, "hex");
const lat = b.readInt32BE(0) / 1000000, lng = b.readInt32BE(4) / 1000000;
payload.push({ variable: "location", value: `${lat},${lng}`, location: { lat, lng }, metadata: { satellites: b[8], fix: ["none", "2D", "3D"][b[9]] } });

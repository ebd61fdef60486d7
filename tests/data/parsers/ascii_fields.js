const text = Buffer.from(payload[0].value, 'hex').toString('ascii');
const match = text.match(/^(\w+),(-?\d+\.?\d*),([NS]),(\d+\.?\d*),([EW])$/);
if (!match) {
  payload = [{ variable: 'unknown', value: text }];
} else {
  const degrees = (v) => Math.trunc(v / 100) + (v % 100) / 60;
  const lat = degrees(+match[2]) * (match[3] === 'S' ? -1 : 1);
  const lng = degrees(+match[4]) * (match[5] === 'W' ? -1 : 1);
  payload = [{ variable: 'position', value: `${lat.toFixed(5)},${lng.toFixed(5)}`, location: { lat: Number(lat.toFixed(5)), lng: Number(lng.toFixed(5)) } }];
}

function hexToBytes(hex) { var bytes = []; for (var c = 0; c < hex.length; c += 2) bytes.push(parseInt(hex.substr(c, 2), 16)); return bytes; }
function toSigned(n) { return n > 0x7fff ? n - 0x10000 : n; }
var bytes = hexToBytes(payload.filter(function (p) { return p.variable === 'payload' })[0].value);
var values = { temp: toSigned(bytes[0] * 256 + bytes[1]) / 100, volts: (bytes[2] + 100) / 100, ok: bytes[3] === 1 };
payload = Object.keys(values).map(function (k) { return { 'variable': k, 'value': values[k] }; });

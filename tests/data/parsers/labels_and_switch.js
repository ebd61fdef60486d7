var b = Buffer.from(payload[0].value, 'hex'), i = 0, out = [];
scan: for (;;) {
  if (i >= b.length) break;
  switch (b[i]) {
    case 0xff: break scan;
    case 0x00: i++; continue scan;
    default: out.push({ variable: 'v' + out.length, value: b[i++] });
  }
}
with ({ extra: 'added' }) { out.push({ variable: 'with', value: extra }); }
delete payload[0].group;
payload = payload.slice(0, 1).concat(out);

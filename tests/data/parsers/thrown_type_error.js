// The reading is not there.

var x = payload.find(function (p) { return p.variable === 'frame' });
payload = [{ variable: 'size', value: x.value.length }];

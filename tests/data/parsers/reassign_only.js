payload = payload.filter(function (x) { return x.variable === 'payload' }).map(function (x) {
  return { variable: 'length', value: x.value.length / 2, group: x.group, time: x.time };
});

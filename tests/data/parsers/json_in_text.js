const item = payload.find(x => x.variable === 'message');
const message = JSON.parse(item.value);
payload = Object.entries(message.readings).map(([variable, value]) => ({ variable, value, time: message.at, metadata: { unit: message.units?.[variable] ?? 'none' } }));

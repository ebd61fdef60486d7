console.log('decoding', payload.length, 'records');
console.debug(payload[0].value, [1, 'two', null], { nested: { yes: true } });
console.error(new Error('only a line'));
payload = [];

// text/plain: the payload is a string until the parser has made records of it.
const [id, ...values] = raw_payload.trim().split(/[;,]/);
serial = id;
payload = values.map((text, index) => ({ variable: `value_${index + 1}`, value: parseFloat(text.replace(',', '.')) }));

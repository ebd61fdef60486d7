const one = (text, from, to) => Buffer.from(text, from).toString(to);
payload = [
  ['€uro', 'utf8', 'latin1'], ['ff00zz11', 'hex', 'hex'], ['abc', 'hex', 'hex'], ['é', 'latin1', 'hex'],
  ['\ud800x', 'utf8', 'hex'], ['4pyT IMOg', 'base64', 'utf8'], ['x', 'UTF-8', 'HEX'], ['÷', 'ascii', 'hex'],
].map(([text, from, to], i) => ({ variable: 's' + i, value: one(text, from, to) }));

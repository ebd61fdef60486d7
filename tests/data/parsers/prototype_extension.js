String.prototype.toBytes = function () { return this.match(/../g).map(function (h) { return parseInt(h, 16); }); };
Array.prototype.last = function () { return this[this.length - 1]; };
if (!Number.prototype.round) Number.prototype.round = function (n) { return Math.round(this * Math.pow(10, n)) / Math.pow(10, n); };
var list = payload.find(p => p.variable === 'payload').value.toBytes();
payload = [{ variable: 'last', value: list.last() }, { variable: 'mean', value: (list.reduce((a, b) => a + b) / list.length).round(2) }];

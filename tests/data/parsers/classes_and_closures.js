class Reader {
  #at = 0;
  constructor(bytes) { this.bytes = bytes; }
  get left() { return this.bytes.length - this.#at; }
  take(n) { const part = this.bytes.subarray(this.#at, this.#at + n); this.#at += n; return part; }
  static of(hex) { return new Reader(Buffer.from(hex, 'hex')); }
}
class DecodeError extends Error { constructor(message) { super(message); this.name = 'DecodeError'; } }
const reader = Reader.of(payload[0].value);
const out = [];
const add = (name, scale = 1) => (n) => out.push({ variable: name, value: reader.take(n).readUIntBE(0, n) / scale });
const steps = [add('voltage', 1000), add('current', 100)];
for (const step of steps) { if (reader.left < 2) throw new DecodeError(`only ${reader.left} bytes left`); step(2); }
payload = out;

// Buffer as decoders know it from Node.js: the same results, and the same errors where a decoder can see them.

const ENCODINGS = new Map([
  ["utf8", "utf8"], ["utf-8", "utf8"], ["hex", "hex"], ["base64", "base64"], ["base64url", "base64url"],
  ["ascii", "ascii"], ["latin1", "latin1"], ["binary", "latin1"],
  ["ucs2", "utf16le"], ["ucs-2", "utf16le"], ["utf16le", "utf16le"], ["utf-16le", "utf16le"],
]);

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_URL = BASE64.slice(0, 62) + "-_";
const HEX_OF_BYTE = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const SIXTET_OF_CODE = new Int8Array(128).fill(-1);
for (let sixtet = 0; sixtet < 64; sixtet++) {
  SIXTET_OF_CODE[BASE64.charCodeAt(sixtet)] = sixtet;
  SIXTET_OF_CODE[BASE64_URL.charCodeAt(sixtet)] = sixtet;
}
const MOST_BYTES = 2 ** 32;
const AT_A_TIME = 4096; // characters that String.fromCharCode takes at a time without a deep stack

// The methods are one step further up than in Node.js: what decoders add is then all that the class itself has.
class Methods extends Uint8Array {}
class Bytes extends Methods {}

function Buffer(value, second, third) {
  return typeof value === "number" ? Buffer.alloc(value) : Buffer.from(value, second, third);
}
Object.setPrototypeOf(Buffer, Uint8Array);
Buffer.prototype = Bytes.prototype;
Object.defineProperty(Buffer.prototype, "constructor", { value: Buffer, writable: true, configurable: true });

function coded(error, code) {
  error.code = code;
  return error;
}

function separateThousands(value) {
  const digits = String(value);
  const start = digits[0] === "-" ? 1 : 0;
  let end = digits.length;
  let separated = "";
  for (; end >= start + 4; end -= 3) separated = `_${digits.slice(end - 3, end)}${separated}`;
  return digits.slice(0, end) + separated;
}

function received(value) {
  if (value === null || value === undefined) return `Received ${value}`;
  if (typeof value === "function") return `Received function ${value.name}`;
  if (typeof value === "object") {
    return value.constructor?.name ? `Received an instance of ${value.constructor.name}` : "Received an object";
  }
  let shown = typeof value === "string" ? `'${value}'` : typeof value === "bigint" ? `${value}n` : String(value);
  if (shown.length > 28) shown = `${shown.slice(0, 25)}...`;
  return `Received type ${typeof value} (${shown})`;
}

function outOfRange(name, range, value) {
  let shown = typeof value === "string" ? `'${value}'` : typeof value === "bigint" ? String(value) : String(value);
  const large = typeof value === "bigint" ? value > 2n ** 32n || value < -(2n ** 32n)
    : Number.isInteger(value) && Math.abs(value) > 2 ** 32;
  if (large) shown = separateThousands(value);
  if (typeof value === "bigint") shown += "n";
  const message = `The value of "${name}" is out of range. It must be ${range}. Received ${shown}`;
  return coded(new RangeError(message), "ERR_OUT_OF_RANGE");
}

function wrongType(name, expected, value) {
  const what = name.includes(" ") ? `The ${name}` : `The "${name}" argument`;
  return coded(new TypeError(`${what} must be ${expected}. ${received(value)}`), "ERR_INVALID_ARG_TYPE");
}

function checkByteLength(value) {
  if (typeof value !== "number") throw wrongType("byteLength", "of type number", value);
  if (!Number.isInteger(value)) throw outOfRange("byteLength", "an integer", value);
  if (value < 1 || value > 6) throw outOfRange("byteLength", ">= 1 and <= 6", value);
}

function checkBound(value, name, most) {
  if (typeof value !== "number") throw wrongType(name, "of type number", value);
  if (!(value >= 0 && value <= most)) throw outOfRange(name, `>= 0 && <= ${most}`, value);
}

function checkOffset(buffer, offset, bytes) {
  if (typeof offset !== "number") throw wrongType("offset", "of type number", offset);
  const most = buffer.length - bytes;
  if (offset >= 0 && offset <= most && Number.isInteger(offset)) return;
  if (!Number.isInteger(offset)) throw outOfRange("offset", "an integer", offset);
  if (most < 0) {
    throw coded(new RangeError("Attempt to access memory outside buffer bounds"), "ERR_BUFFER_OUT_OF_BOUNDS");
  }
  throw outOfRange("offset", `>= 0 and <= ${most}`, offset);
}

function canonicalEncoding(encoding) {
  if (encoding === undefined || encoding === null || encoding === "") return "utf8";
  const canonical = ENCODINGS.get(encoding) ?? ENCODINGS.get(String(encoding).toLowerCase());
  if (canonical === undefined) throw coded(new TypeError(`Unknown encoding: ${encoding}`), "ERR_UNKNOWN_ENCODING");
  return canonical;
}

// --- text to bytes and back ---

function encodeUtf8(text) {
  const bytes = new Uint8Array(text.length * 3);
  let end = 0;
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i);
    if (code >= 0xd800 && code <= 0xdfff) {
      const next = i + 1 < text.length ? text.charCodeAt(i + 1) : 0;
      if (code <= 0xdbff && next >= 0xdc00 && next <= 0xdfff) {
        code = 0x10000 + ((code - 0xd800) << 10) + (next - 0xdc00);
        i++;
      } else {
        code = 0xfffd;
      }
    }
    if (code < 0x80) {
      bytes[end++] = code;
    } else if (code < 0x800) {
      bytes[end++] = 0xc0 | (code >> 6);
      bytes[end++] = 0x80 | (code & 0x3f);
    } else if (code < 0x10000) {
      bytes[end++] = 0xe0 | (code >> 12);
      bytes[end++] = 0x80 | ((code >> 6) & 0x3f);
      bytes[end++] = 0x80 | (code & 0x3f);
    } else {
      bytes[end++] = 0xf0 | (code >> 18);
      bytes[end++] = 0x80 | ((code >> 12) & 0x3f);
      bytes[end++] = 0x80 | ((code >> 6) & 0x3f);
      bytes[end++] = 0x80 | (code & 0x3f);
    }
  }
  return bytes.subarray(0, end);
}

// What follows a leading byte: how many bytes, and the bounds of the first of them (overlong forms, surrogates).
function sequenceOf(lead) {
  if (lead >= 0xc2 && lead <= 0xdf) return [1, 0x80, 0xbf];
  if (lead === 0xe0) return [2, 0xa0, 0xbf];
  if (lead === 0xed) return [2, 0x80, 0x9f];
  if (lead >= 0xe1 && lead <= 0xef) return [2, 0x80, 0xbf];
  if (lead === 0xf0) return [3, 0x90, 0xbf];
  if (lead === 0xf4) return [3, 0x80, 0x8f];
  if (lead >= 0xf1 && lead <= 0xf3) return [3, 0x80, 0xbf];
  return null;
}

function decodeUtf8(bytes, start, end) {
  let text = "";
  for (let i = start; i < end; ) {
    const lead = bytes[i++];
    if (lead < 0x80) {
      text += String.fromCharCode(lead);
      continue;
    }
    const sequence = sequenceOf(lead);
    if (sequence === null) {
      text += "\ufffd";
      continue;
    }
    let [missing, least, most] = sequence;
    let code = lead & (0x3f >> missing);
    for (; missing > 0 && i < end && bytes[i] >= least && bytes[i] <= most; missing--) {
      code = (code << 6) | (bytes[i++] & 0x3f);
      [least, most] = [0x80, 0xbf];
    }
    text += missing ? "\ufffd" : String.fromCodePoint(code);
  }
  return text;
}

function decodeBase64(text) {
  const bytes = new Uint8Array(Math.ceil((text.length * 3) / 4));
  let [end, bits, held] = [0, 0, 0];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 61) break; // "="
    const sixtet = code < 128 ? SIXTET_OF_CODE[code] : -1;
    if (sixtet < 0) continue;
    bits = ((bits << 6) | sixtet) & 0xfffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes[end++] = (bits >> held) & 0xff;
    }
  }
  return bytes.subarray(0, end);
}

function encodeBase64(bytes, start, end, alphabet, padding) {
  let text = "";
  for (let i = start; i < end; i += 3) {
    const rest = end - i;
    const bits = (bytes[i] << 16) | (rest > 1 ? bytes[i + 1] << 8 : 0) | (rest > 2 ? bytes[i + 2] : 0);
    text += alphabet[bits >> 18] + alphabet[(bits >> 12) & 63];
    text += rest > 1 ? alphabet[(bits >> 6) & 63] : padding;
    text += rest > 2 ? alphabet[bits & 63] : padding;
  }
  return text;
}

function nibble(code) {
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 97 && code <= 102) return code - 87;
  if (code >= 65 && code <= 70) return code - 55;
  return -1;
}

function decodeHex(text) {
  const bytes = new Uint8Array(text.length >> 1);
  for (let i = 0; i < bytes.length; i++) {
    const high = nibble(text.charCodeAt(2 * i));
    const low = nibble(text.charCodeAt(2 * i + 1));
    if (high < 0 || low < 0) return bytes.subarray(0, i);
    bytes[i] = (high << 4) | low;
  }
  return bytes;
}

function encodeText(text, encoding) {
  switch (encoding) {
    case "utf8": return encodeUtf8(text);
    case "hex": return decodeHex(text);
    case "base64":
    case "base64url": return decodeBase64(text);
    case "utf16le": {
      const bytes = new Uint8Array(text.length * 2);
      for (let i = 0; i < text.length; i++) {
        const code = text.charCodeAt(i);
        bytes[2 * i] = code;
        bytes[2 * i + 1] = code >> 8;
      }
      return bytes;
    }
    default: return Uint8Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
  }
}

function fromCodes(length, codeAt) {
  let text = "";
  for (let start = 0; start < length; start += AT_A_TIME) {
    const codes = [];
    for (let i = start; i < length && i < start + AT_A_TIME; i++) codes[i - start] = codeAt(i);
    text += String.fromCharCode(...codes);
  }
  return text;
}

function decodeText(bytes, encoding, start, end) {
  switch (encoding) {
    case "utf8": return decodeUtf8(bytes, start, end);
    case "hex": {
      let text = "";
      for (let i = start; i < end; i++) text += HEX_OF_BYTE[bytes[i]];
      return text;
    }
    case "base64": return encodeBase64(bytes, start, end, BASE64, "=");
    case "base64url": return encodeBase64(bytes, start, end, BASE64_URL, "");
    case "ascii": return fromCodes(end - start, (i) => bytes[start + i] & 0x7f);
    case "latin1": return fromCodes(end - start, (i) => bytes[start + i]);
    default: return fromCodes((end - start) >> 1, (i) => bytes[start + 2 * i] | (bytes[start + 2 * i + 1] << 8));
  }
}

// --- making buffers ---

function copyOf(bytes) {
  const copy = new Bytes(bytes.length);
  copy.set(bytes);
  return copy;
}

function fromObject(value) {
  if (value.length !== undefined || value.buffer instanceof ArrayBuffer) {
    return typeof value.length === "number" ? Bytes.from({ length: value.length }, (_, i) => value[i]) : new Bytes(0);
  }
  if (value.type === "Buffer" && Array.isArray(value.data)) return copyOf(value.data);
  return null;
}

function makeBuffer(value, second, third) {
  if (typeof value === "string") return copyOf(encodeText(value, canonicalEncoding(second)));
  if (typeof value === "object" && value !== null) {
    if (value instanceof ArrayBuffer) return viewOf(value, second, third);
    if (ArrayBuffer.isView(value) && typeof value.length === "number") return copyOf(value);
    const primitive = value.valueOf?.();
    if (primitive !== undefined && primitive !== null && primitive !== value
      && (typeof primitive === "string" || typeof primitive === "object")) {
      return makeBuffer(primitive, second, third);
    }
    const made = fromObject(value);
    if (made !== null) return made;
    if (typeof value[Symbol.toPrimitive] === "function") {
      const text = value[Symbol.toPrimitive]("string");
      if (typeof text === "string") return makeBuffer(text, second);
    }
  }
  throw wrongType(
    "first argument", "of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object", value);
}

function viewOf(memory, offset, length) {
  const start = offset === undefined ? 0 : Number.isNaN(+offset) ? 0 : +offset;
  const most = memory.byteLength - start;
  if (most < 0) {
    throw coded(new RangeError('"offset" is outside of buffer bounds'), "ERR_BUFFER_OUT_OF_BOUNDS");
  }
  if (length === undefined) return new Bytes(memory, start);
  const taken = +length > 0 ? +length : 0;
  if (taken > most) throw coded(new RangeError('"length" is outside of buffer bounds'), "ERR_BUFFER_OUT_OF_BOUNDS");
  return new Bytes(memory, start, taken);
}

function toBytes(value, encoding, name) {
  if (typeof value === "string") return encodeText(value, canonicalEncoding(encoding));
  if (value instanceof Uint8Array) return value;
  if (name) throw wrongType(name, "an instance of Buffer or Uint8Array", value);
  throw wrongType("value", "one of type number or string or an instance of Buffer or Uint8Array", value);
}

function compareBytes(left, right) {
  const common = Math.min(left.length, right.length);
  for (let i = 0; i < common; i++) {
    if (left[i] !== right[i]) return left[i] < right[i] ? -1 : 1;
  }
  return left.length === right.length ? 0 : left.length < right.length ? -1 : 1;
}

function define(target, methods) {
  for (const name of Object.keys(methods)) {
    Object.defineProperty(target, name, { value: methods[name], writable: true, configurable: true });
  }
}

define(Buffer, {
  from(value, second, third) {
    return makeBuffer(value, second, third);
  },
  alloc(size, fill, encoding) {
    checkBound(size, "size", MOST_BYTES);
    const made = new Bytes(size);
    return fill === undefined || fill === 0 || size === 0 ? made : made.fill(fill, encoding);
  },
  allocUnsafe(size) {
    checkBound(size, "size", MOST_BYTES);
    return new Bytes(size);
  },
  allocUnsafeSlow(size) {
    checkBound(size, "size", MOST_BYTES);
    return new Bytes(size);
  },
  of(...items) {
    return copyOf(items);
  },
  concat(list, length) {
    if (!Array.isArray(list)) throw wrongType("list", "an instance of Array", list);
    for (let i = 0; i < list.length; i++) {
      if (!(list[i] instanceof Uint8Array)) {
        throw wrongType(`"list[${i}]" argument`, "an instance of Buffer or Uint8Array", list[i]);
      }
    }
    let total = 0;
    if (length === undefined) for (const part of list) total += part.length;
    else checkBound(length, "length", MOST_BYTES), (total = length);
    const whole = new Bytes(total);
    let end = 0;
    for (const part of list) {
      if (end >= total) break;
      whole.set(end + part.length > total ? part.subarray(0, total - end) : part, end);
      end += part.length;
    }
    return whole;
  },
  byteLength(value, encoding) {
    if (typeof value === "string") {
      const canonical = ENCODINGS.get(String(encoding ?? "utf8").toLowerCase()) ?? "utf8";
      if (canonical === "hex") return value.length >>> 1;
      if (canonical === "base64" || canonical === "base64url") {
        const padding = value.endsWith("==") ? 2 : value.endsWith("=") ? 1 : 0;
        return ((value.length - padding) * 3) >>> 2;
      }
      return encodeText(value, canonical).length;
    }
    if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return value.byteLength;
    throw wrongType("string", "of type string or an instance of Buffer or ArrayBuffer", value);
  },
  isBuffer(value) {
    return value instanceof Buffer;
  },
  isEncoding(encoding) {
    return typeof encoding === "string" && ENCODINGS.has(encoding.toLowerCase());
  },
  compare(left, right) {
    if (!(left instanceof Uint8Array)) throw wrongType("buf1", "an instance of Buffer or Uint8Array", left);
    if (!(right instanceof Uint8Array)) throw wrongType("buf2", "an instance of Buffer or Uint8Array", right);
    return compareBytes(left, right);
  },
});

// --- numbers ---

const SCRATCH = new DataView(new ArrayBuffer(8));

function readUnsigned(buffer, offset, bytes, little) {
  let value = 0;
  if (little) for (let i = bytes - 1; i >= 0; i--) value = value * 256 + buffer[offset + i];
  else for (let i = 0; i < bytes; i++) value = value * 256 + buffer[offset + i];
  return value;
}

function readSigned(buffer, offset, bytes, little) {
  const value = readUnsigned(buffer, offset, bytes, little);
  return value >= 2 ** (8 * bytes - 1) ? value - 2 ** (8 * bytes) : value;
}

function writeBytes(buffer, value, offset, bytes, little) {
  let rest = value;
  for (let i = 0; i < bytes; i++) {
    const low = ((rest % 256) + 256) % 256;
    buffer[offset + (little ? i : bytes - 1 - i)] = low;
    rest = Math.floor((rest - low) / 256);
  }
  return offset + bytes;
}

function checkValue(value, signed, bytes) {
  const big = typeof value === "bigint";
  const bits = 8 * bytes;
  const least = signed ? -(2n ** BigInt(bits - 1)) : 0n;
  const most = signed ? 2n ** BigInt(bits - 1) - 1n : 2n ** BigInt(bits) - 1n;
  if (value >= least && value <= most) return;
  const n = big ? "n" : "";
  const power = signed ? bits - 1 : bits;
  const range = bytes > 4 || big
    ? `>= ${signed ? `-(2${n} ** ${power}${n})` : `0${n}`} and < 2${n} ** ${power}${n}`
    : `>= ${least} and <= ${most}`;
  throw outOfRange("value", range, value);
}

function writeInteger(buffer, value, offset, bytes, little, signed) {
  const number = +value;
  if (!(number >= (signed ? -(2 ** (8 * bytes - 1)) : 0) && number <= 2 ** (8 * bytes - (signed ? 1 : 0)) - 1)
    && !Number.isNaN(number)) checkValue(number, signed, bytes);
  checkOffset(buffer, offset, bytes);
  return writeBytes(buffer, Number.isNaN(number) ? 0 : Math.trunc(number), offset, bytes, little);
}

function readScratch(buffer, offset, bytes, getter, little) {
  checkOffset(buffer, offset, bytes);
  for (let i = 0; i < bytes; i++) SCRATCH.setUint8(i, buffer[offset + i]);
  return SCRATCH[getter](0, little);
}

function writeScratch(buffer, value, offset, bytes, setter, little) {
  SCRATCH[setter](0, value, little);
  checkOffset(buffer, offset, bytes);
  for (let i = 0; i < bytes; i++) buffer[offset + i] = SCRATCH.getUint8(i);
  return offset + bytes;
}

function defineWithAlias(name, alias, method) {
  Object.defineProperty(method, "name", { value: name });
  define(Methods.prototype, { [name]: method, [alias]: method });
}

for (const signed of [false, true]) {
  const kind = signed ? "Int" : "UInt";
  const alias = signed ? "Int" : "Uint";
  const read = signed ? readSigned : readUnsigned;
  for (const [bits, endings] of [[8, [""]], [16, ["LE", "BE"]], [32, ["LE", "BE"]]]) {
    for (const ending of endings) {
      const [bytes, little] = [bits / 8, ending === "LE"];
      defineWithAlias(`read${kind}${bits}${ending}`, `read${alias}${bits}${ending}`, function (offset = 0) {
        checkOffset(this, offset, bytes);
        return read(this, offset, bytes, little);
      });
      defineWithAlias(`write${kind}${bits}${ending}`, `write${alias}${bits}${ending}`, function (value, offset = 0) {
        return writeInteger(this, value, offset, bytes, little, signed);
      });
    }
  }
  for (const ending of ["LE", "BE"]) {
    const little = ending === "LE";
    defineWithAlias(`read${kind}${ending}`, `read${alias}${ending}`, function (offset, byteLength) {
      if (offset === undefined) throw wrongType("offset", "of type number", offset);
      checkByteLength(byteLength);
      checkOffset(this, offset, byteLength);
      return read(this, offset, byteLength, little);
    });
    defineWithAlias(`write${kind}${ending}`, `write${alias}${ending}`, function (value, offset, byteLength) {
      checkByteLength(byteLength);
      return writeInteger(this, value, offset, byteLength, little, signed);
    });
    const big = signed ? "BigInt64" : "BigUInt64";
    const view = signed ? "BigInt64" : "BigUint64";
    defineWithAlias(`read${big}${ending}`, `read${view}${ending}`, function (offset = 0) {
      return readScratch(this, offset, 8, `get${view}`, little);
    });
    defineWithAlias(`write${big}${ending}`, `write${view}${ending}`, function (value, offset = 0) {
      if (typeof value !== "bigint") {
        throw new TypeError("Cannot mix BigInt and other types, use explicit conversions");
      }
      checkValue(value, signed, 8);
      return writeScratch(this, value, offset, 8, `set${view}`, little);
    });
  }
}

for (const [kind, bits] of [["Float", 32], ["Double", 64]]) {
  for (const ending of ["LE", "BE"]) {
    const [bytes, little] = [bits / 8, ending === "LE"];
    define(Methods.prototype, {
      [`read${kind}${ending}`](offset = 0) {
        return readScratch(this, offset, bytes, `getFloat${bits}`, little);
      },
      [`write${kind}${ending}`](value, offset = 0) {
        return writeScratch(this, +value, offset, bytes, `setFloat${bits}`, little);
      },
    });
  }
}

// --- everything else that a buffer does ---

function relativeIndex(value, length, fallback) {
  if (value === undefined) return fallback;
  const index = Math.trunc(+value) || 0;
  return index < 0 ? Math.max(length + index, 0) : Math.min(index, length);
}

function swap(buffer, bytes) {
  if (buffer.length % bytes) {
    throw coded(
      new RangeError(`Buffer size must be a multiple of ${8 * bytes}-bits`), "ERR_INVALID_BUFFER_SIZE");
  }
  for (let i = 0; i < buffer.length; i += bytes) buffer.subarray(i, i + bytes).reverse();
  return buffer;
}

function search(buffer, value, byteOffset, encoding, forward) {
  let offset = byteOffset;
  if (typeof offset === "string") [encoding, offset] = [offset, undefined];
  offset = +offset;
  if (Number.isNaN(offset)) offset = forward ? 0 : buffer.length;
  offset = Math.trunc(offset);
  if (offset < 0) offset += buffer.length;
  if (offset < 0) {
    if (!forward) return -1;
    offset = 0;
  }
  const bytes = typeof value === "number" ? [value & 0xff] : toBytes(value, encoding);
  if (bytes.length === 0) return Math.min(offset, buffer.length);
  const step = forward ? 1 : -1;
  const last = buffer.length - bytes.length;
  for (let start = forward ? offset : Math.min(offset, last); start >= 0 && start <= last; start += step) {
    let i = 0;
    while (i < bytes.length && buffer[start + i] === bytes[i]) i++;
    if (i === bytes.length) return start;
  }
  return -1;
}

define(Methods.prototype, {
  toString(encoding, start, end) {
    const from = start === undefined || !(start > 0) ? 0 : Math.trunc(start);
    const to = end === undefined ? this.length : Math.min(Math.trunc(+end) || 0, this.length);
    const canonical = canonicalEncoding(encoding === null ? "null" : encoding);
    return from >= to ? "" : decodeText(this, canonical, from, to);
  },
  toJSON() {
    return { type: "Buffer", data: Array.from(this) };
  },
  equals(other) {
    if (!(other instanceof Uint8Array)) throw wrongType("otherBuffer", "an instance of Buffer or Uint8Array", other);
    return compareBytes(this, other) === 0;
  },
  compare(target, targetStart = 0, targetEnd = target?.length, start = 0, end = this.length) {
    if (!(target instanceof Uint8Array)) throw wrongType("target", "an instance of Buffer or Uint8Array", target);
    return compareBytes(this.subarray(start, end), target.subarray(targetStart, targetEnd));
  },
  copy(target, targetStart = 0, start = 0, end = this.length) {
    if (!(target instanceof Uint8Array)) throw wrongType("target", "an instance of Buffer or Uint8Array", target);
    const to = Math.trunc(+targetStart) || 0;
    const from = Math.trunc(+start) || 0;
    if (to < 0) throw outOfRange("targetStart", ">= 0", to);
    if (from < 0 || from > this.length) throw outOfRange("sourceStart", `>= 0 && <= ${this.length}`, from);
    if (end < 0) throw outOfRange("sourceEnd", ">= 0", end);
    const count = Math.max(0, Math.min(end - from, target.length - to, this.length - from));
    if (count > 0) target.set(this.subarray(from, from + count), to);
    return count;
  },
  subarray(start, end) {
    const from = relativeIndex(start, this.length, 0);
    const to = relativeIndex(end, this.length, this.length);
    return new Bytes(this.buffer, this.byteOffset + from, Math.max(to - from, 0));
  },
  slice(start, end) {
    return this.subarray(start, end);
  },
  fill(value, offset, end, encoding) {
    let [from, to, coding] = [offset, end, encoding];
    if (typeof value === "string" && typeof from === "string") [coding, from, to] = [from, undefined, undefined];
    else if (typeof value === "string" && typeof to === "string") [coding, to] = [to, undefined];
    if (from === undefined) from = 0;
    else checkBound(from, "offset", MOST_BYTES);
    if (to === undefined) to = this.length;
    else checkBound(to, "end", this.length);
    if (from >= to) return this;
    if (typeof value !== "string" && !(value instanceof Uint8Array)) {
      Uint8Array.prototype.fill.call(this, typeof value === "boolean" ? +value : value & 255, from, to);
      return this;
    }
    const bytes = value === "" ? [0] : toBytes(value, coding);
    if (bytes.length === 0) {
      throw coded(
        new TypeError(`The argument 'value' is invalid. Received '${value}'`), "ERR_INVALID_ARG_VALUE");
    }
    for (let i = from; i < to; i++) this[i] = bytes[(i - from) % bytes.length];
    return this;
  },
  write(text, offset, length, encoding) {
    let [from, count, coding] = [offset, length, encoding];
    if (typeof from === "string") [coding, from, count] = [from, undefined, undefined];
    else if (typeof count === "string") [coding, count] = [count, undefined];
    if (typeof text !== "string") throw coded(new TypeError("argument must be a string"), "ERR_INVALID_ARG_TYPE");
    if (from === undefined) from = 0;
    else checkBound(from, "offset", this.length);
    const room = this.length - from;
    if (count === undefined) count = room;
    else checkBound(count, "length", this.length), (count = Math.min(count, room));
    const canonical = canonicalEncoding(coding);
    const bytes = encodeText(text, canonical);
    let end = Math.min(bytes.length, count);
    if (canonical === "utf8") while (end > 0 && end < bytes.length && (bytes[end] & 0xc0) === 0x80) end--;
    if (canonical === "utf16le") end -= end % 2;
    this.set(bytes.subarray(0, end), from);
    return end;
  },
  indexOf(value, byteOffset, encoding) {
    return search(this, value, byteOffset, encoding, true);
  },
  lastIndexOf(value, byteOffset, encoding) {
    return search(this, value, byteOffset, encoding, false);
  },
  includes(value, byteOffset, encoding) {
    return search(this, value, byteOffset, encoding, true) !== -1;
  },
  swap16() {
    return swap(this, 2);
  },
  swap32() {
    return swap(this, 4);
  },
  swap64() {
    return swap(this, 8);
  },
});
define(Methods.prototype, { toLocaleString: Methods.prototype.toString });

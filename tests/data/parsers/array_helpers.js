const raw = payload.find((x) => x.variable === "payload");
const numbers = Array.from(Buffer.from(raw.value, "hex"));
const sorted = [...numbers].sort((a, b) => a - b);
payload = [
  { variable: "min", value: Math.min(...numbers) }, { variable: "max", value: Math.max.apply(null, numbers) },
  { variable: "median", value: sorted[sorted.length >> 1] }, { variable: "flat", value: [[1], [2, [3]]].flat(Infinity).join("-") },
  { variable: "at", value: numbers.at(-1) }, { variable: "some", value: numbers.some((n) => n > 200) },
  { variable: "pairs", value: Object.fromEntries(numbers.entries())[0] },
];

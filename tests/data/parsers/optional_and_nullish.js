"use strict";
const raw = payload?.find?.((x) => x.variable === "payload");
const mode = raw?.metadata?.mode ?? "normal";
let retries = null;
retries ??= 3;
payload = [{ variable: "mode", value: mode }, { variable: "retries", value: retries }, { variable: "big", value: 1_000_000 }];

"use strict";
// What the worker and the forwarder share: from an uplink to a post downstream.

const { Pool } = require("undici");

const pool = new Pool(process.env.DOWNSTREAM, { connections: 64 });
const tokens = new Map();

function resolveToken(serial) {
  let token = tokens.get(serial);
  if (!token) {
    token = askForToken(serial);
    token.catch(() => tokens.delete(serial));
    tokens.set(serial, token);
  }
  return token;
}

async function askForToken(serial) {
  const segments = [serial, process.env.AUTHORIZATION].map(encodeURIComponent).join("/");
  const { statusCode, body } = await pool.request({
    method: "GET",
    path: `/integration/network/resolve/${segments}`,
    headers: { Authorization: process.env.NETWORK_TOKEN },
  });
  const document = await body.json();
  if (statusCode !== 200 || !document.status) throw new Error(`resolve: ${statusCode} ${document.message}`);
  return document.result;
}

function toRecords(item, batch) {
  const records = [];
  flatten(item, "", (variable, value) =>
    records.push({ variable, value, group: batch.group, time: item.time ?? batch.arrivedAt }),
  );
  return records;
}

function flatten(object, prefix, add) {
  for (const [name, value] of Object.entries(object)) {
    const variable = prefix + name.toLowerCase();
    if (value === null) continue;
    if (typeof value === "object") flatten(value, `${variable}_`, add);
    else add(variable, value);
  }
}

async function postUplink(item, batch) {
  const token = await resolveToken(item.serial);
  const { statusCode, body } = await pool.request({
    method: "POST",
    path: "/data",
    headers: { "Content-Type": "application/json", "Device-Token": token },
    body: JSON.stringify(toRecords(item, batch)),
  });
  const document = await body.json();
  if (statusCode >= 300 || !document.status) throw new Error(`post: ${statusCode} ${document.message}`);
}

module.exports = { postUplink };

"use strict";
// What the ingest and the forwarder share: from an HTTP request to its uplinks, or to a refusal.

const { randomBytes } = require("node:crypto");

const AUTHORIZATION = process.env.AUTHORIZATION;
const BODY_LIMIT = 1_048_576;
const ITEMS_LIMIT = 1_000;

class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

function readBody(request) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    let size = 0;
    request.on("data", (chunk) => {
      size += chunk.length;
      if (size > BODY_LIMIT) reject(new Refusal(413, "The body is too large"));
      else chunks.push(chunk);
    });
    request.on("end", () => resolve(Buffer.concat(chunks).toString()));
    request.on("error", reject);
  });
}

async function readBatch(request) {
  if (request.method !== "POST") throw new Refusal(405, "Method Not Allowed");
  const authorization = request.headers.authorization;
  if (!authorization) throw new Refusal(401, "Authorization is missing");
  if (authorization !== AUTHORIZATION) throw new Refusal(403, "Authorization Denied");
  const type = request.headers["content-type"] ?? "";
  if (!type.startsWith("application/json")) throw new Refusal(415, "Content-Type must be application/json");
  const text = await readBody(request);
  if (!text) throw new Refusal(400, "Missing body information");
  let document;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new Refusal(400, `The body is not valid JSON: ${error.message}`);
  }
  const items = Array.isArray(document) ? document : [document];
  if (items.length === 0) throw new Refusal(400, "Missing body information");
  if (items.length > ITEMS_LIMIT) throw new Refusal(413, "Too many uplinks");
  items.forEach((item, index) => {
    if (item === null || typeof item !== "object" || Array.isArray(item)) {
      throw new Refusal(400, `item ${index}: no JSON object`);
    }
    if (typeof item.serial !== "string" || !item.serial) throw new Refusal(400, `item ${index}: no serial`);
  });
  return { group: randomBytes(12).toString("hex"), arrivedAt: new Date().toISOString(), items };
}

function answer(response, status, document) {
  const body = JSON.stringify(document);
  response.writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}

function answerAccepted(response, batch) {
  answer(response, 202, { status: true, result: `${batch.items.length} uplinks accepted`, group: batch.group });
}

function answerRefused(response, error) {
  answer(response, error.status ?? 503, { status: false, message: error.message });
}

module.exports = { readBatch, answer, answerAccepted, answerRefused };

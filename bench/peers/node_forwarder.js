"use strict";
// POST /uplink straight to the downstream: no queue, the sender waits for all of it.

const http = require("node:http");
const { readBatch, answer, answerAccepted, answerRefused } = require("./node_request");
const { postUplink } = require("./node_downstream");

const server = http.createServer(async (request, response) => {
  if (request.url === "/") return answer(response, 200, { status: true, message: "Running" });
  try {
    const batch = await readBatch(request);
    await Promise.all(batch.items.map((item) => postUplink(item, batch)));
    answerAccepted(response, batch);
  } catch (error) {
    answerRefused(response, error);
  }
});
server.listen(Number(process.env.PORT), "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));

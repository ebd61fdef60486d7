"use strict";
// POST /uplink to a quorum queue: one persistent message per request, 202 when the broker has confirmed it.

const http = require("node:http");
const amqp = require("amqplib");
const { readBatch, answer, answerAccepted, answerRefused } = require("./node_request");

const QUEUE = process.env.QUEUE;

async function main() {
  const connection = await amqp.connect(process.env.AMQP_URL);
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue(QUEUE, { durable: true, arguments: { "x-queue-type": "quorum" } });
  const publish = (batch) =>
    new Promise((resolve, reject) => {
      const options = { persistent: true, contentType: "application/json" };
      channel.sendToQueue(QUEUE, Buffer.from(JSON.stringify(batch)), options, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  const server = http.createServer(async (request, response) => {
    if (request.url === "/") return answer(response, 200, { status: true, message: "Running" });
    try {
      const batch = await readBatch(request);
      await publish(batch);
      answerAccepted(response, batch);
    } catch (error) {
      answerRefused(response, error);
    }
  });
  server.listen(Number(process.env.PORT), "127.0.0.1");
  process.on("SIGTERM", () => process.exit(0));
}

main();

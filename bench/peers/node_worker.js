"use strict";
// From the queue to the downstream: the uplinks of a message are posted side by side, then it is acknowledged.

const amqp = require("amqplib");
const { postUplink } = require("./node_downstream");

const QUEUE = process.env.QUEUE;
const PREFETCH = 200;

async function main() {
  const connection = await amqp.connect(process.env.AMQP_URL);
  const channel = await connection.createChannel();
  await channel.assertQueue(QUEUE, { durable: true, arguments: { "x-queue-type": "quorum" } });
  await channel.prefetch(PREFETCH);
  await channel.consume(QUEUE, async (message) => {
    try {
      const batch = JSON.parse(message.content.toString());
      await Promise.all(batch.items.map((item) => postUplink(item, batch)));
      channel.ack(message);
    } catch (error) {
      console.error(error.message);
      channel.reject(message, true);
    }
  });
  process.on("SIGTERM", () => process.exit(0));
}

main();

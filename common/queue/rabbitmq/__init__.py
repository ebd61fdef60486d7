"""The queue on RabbitMQ, 3.10 or later: quorum queues, publisher confirms, and a stream for the dead letters."""

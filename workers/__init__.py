"""From the queue to the downstream: map, resolve, group, post, settle."""

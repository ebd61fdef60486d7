"""The queue in one SQLite file, for one machine: every confirm is on disk, one consumer at a time, no broker."""

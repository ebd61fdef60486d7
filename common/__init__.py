"""What two of the roles need, and nothing else; knows none of them."""

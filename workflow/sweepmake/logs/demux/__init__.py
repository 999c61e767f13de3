"""What a launcher wrote, taken apart again: one stream of bytes per rank."""

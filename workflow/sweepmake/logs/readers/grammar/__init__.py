"""The grammar of lines that programs print by hand: prefix, places, fields, phases."""

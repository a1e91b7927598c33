"""The basic types: cint and regint, sint, cfix and sfix."""

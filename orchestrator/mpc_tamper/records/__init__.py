"""What is written: the shapes of all records, each with a name and a version, and their reading and writing."""

"""Tables: CSV and Parquet files, DataFrames and arrays of numbers, categories and booleans, as tasks."""

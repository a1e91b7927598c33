"""Memory with a shape: MemValue, Array, Matrix and MultiArray."""

"""Step graphs in fp16, int8 and int4: their products, and the accuracy that they must keep."""

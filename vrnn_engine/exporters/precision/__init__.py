"""Step graphs in fp16, int8 and int4: their products, and the limits of their deviation from fp32."""

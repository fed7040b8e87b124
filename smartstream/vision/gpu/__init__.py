"""Models on an NVIDIA GPU by TensorRT: engines and their cache, pictures prepared there, one batch across cameras."""

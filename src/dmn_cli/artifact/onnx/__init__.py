"""A model as an ONNX file, which asks for no Python: the network as a graph, checked in onnxruntime."""

"""Files of other libraries: `byhand.interop.torch` reads and writes PyTorch's. Nothing in a file is executed."""

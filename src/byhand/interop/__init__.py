"""Files of other libraries: PyTorch's (`torch`) and TensorBoard's (`tensorboard`). Nothing in a file is executed."""

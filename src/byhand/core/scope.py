"""Names of PyTorch's that byhand leaves out on purpose, with the reason. Called where a name is not found."""

from __future__ import annotations

OUT: dict[str, str] = {
    "sparse tensors are out of scope": "sparse sparse_coo_tensor sparse_csr_tensor sparse_csc_tensor "
    "sparse_bsr_tensor sparse_bsc_tensor sparse_compressed_tensor sparse_coo sparse_csr sspaddmm spmm smm hspmm",
    "quantisation is out of scope": "quantization ao quantize_per_tensor quantize_per_tensor_dynamic "
    "quantize_per_channel dequantize fake_quantize_per_tensor_affine fake_quantize_per_channel_affine "
    "qint8 quint8 qint32 quint4x2 per_tensor_affine per_channel_affine",
    "byhand has no TorchScript; byhand.compile(step) writes a step out and runs that": "ScriptModule ScriptFunction "
    "export fx package",
    "byhand computes in one process, on the CPU": "multiprocessing futures mps xpu mtia hub",
    "byhand has no 8-bit floats": "float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu",
    "complex tensors are there as far as fft needs them": "complex32 chalf",
    "tensors of one shape alone; see nn.utils.rnn for sequences of several lengths": "nested masked jagged",
    "PyTorch has it under linalg now, and so has byhand": "symeig eig solve lstsq matrix_rank",
    "its results are random; linalg.svd is there": "svd_lowrank pca_lowrank lobpcg",
    "byhand.compile and its step.profile() are what there is": "profiler compiler",
}
_REASONS = {name: reason for reason, names in OUT.items() for name in names.split()}


def explanation(name: str) -> str:
    """Why there is no such name, after a colon; nothing if it is not left out on purpose."""
    return f": {_REASONS[name]}" if name in _REASONS else ""

"""What byhand refuses by design, of PyTorch's own databases, with the reason. Called by `functions` and `modules`."""

from __future__ import annotations

REASONS = {
    "complex": "complex tensors beyond fft are out of scope",
    "sparse": "sparse tensors are out of scope",
    "internal": "an internal function of PyTorch, which no script calls",
    "copy": "the copying form of a view, made for PyTorch's own compiler",
    "scatter": "the written-out form of x[…] = y, made for PyTorch's own compiler",
    "dtype": "bfloat16 and complex dtypes are not NumPy's or out of scope",
    "special": "a special function that no network uses; SciPy has it",
    "masked": "torch.masked is a prototype",
    "jit": "kernels that are compiled from a string",
    "low precision": "products in 8 bits",
    "signal": "windows of torch.signal; SciPy has them",
    "low rank": "results that are random; svd is there",
    "factor": "intermediate results of LAPACK, which differ between implementations; solve, lu and qr are there",
    "resize": "changes the shape of a tensor in place",
    "beta": "a beta function of the newest PyTorch",
}

NAMES = {
    "complex": """conj_physical resolve_conj resolve_neg cdouble cfloat chalf linalg.eig linalg.eigvals""",
    "sparse": """sparse.sampled_addmm sparse.mm to_sparse""",
    "internal": """_softmax_backward_data native_group_norm native_layer_norm native_batch_norm _native_batch_norm_legit
        _batch_norm_with_update max_pool2d_with_indices_backward torch.ops.aten._safe_softmax.default
        torch.ops.aten._flash_attention_forward torch.ops.aten._efficient_attention_forward _unsafe_masked_index
        _unsafe_masked_index_put_accumulate native_dropout_backward _chunk_cat hash_tensor _segment_reduce
        constant_pad_nd _upsample_bilinear2d_aa grid_sampler_2d grid_sampler_3d unsafe_chunk unsafe_split slice
        empty_permuted new_empty_strided empty_strided nonzero_static split_with_sizes""",
    "copy": """expand_copy diagonal_copy alias_copy as_strided_copy split_with_sizes_copy view_copy permute_copy
        unbind_copy squeeze_copy unsqueeze_copy transpose_copy t_copy unfold_copy narrow_copy""",
    "scatter": """as_strided_scatter""",
    "dtype": """bfloat16""",
    "special": """igamma igammac special.zeta special.erfcx special.airy_ai special.bessel_j0 special.bessel_j1
        special.bessel_y0 special.bessel_y1 special.modified_bessel_i0 special.modified_bessel_i1
        special.modified_bessel_k0 special.modified_bessel_k1 special.scaled_modified_bessel_k0
        special.scaled_modified_bessel_k1 special.spherical_bessel_j0 special.chebyshev_polynomial_t
        special.chebyshev_polynomial_u special.chebyshev_polynomial_v special.chebyshev_polynomial_w
        special.hermite_polynomial_h special.hermite_polynomial_he special.laguerre_polynomial_l
        special.legendre_polynomial_p special.shifted_chebyshev_polynomial_t special.shifted_chebyshev_polynomial_u
        special.shifted_chebyshev_polynomial_v special.shifted_chebyshev_polynomial_w""",
    "masked": """masked.sum masked.prod masked.cumsum masked.cumprod masked.amax masked.amin masked.argmax masked.argmin
        masked.mean masked.median masked.norm masked.var masked.std masked.softmax masked.log_softmax masked.softmin
        masked.normalize masked.logaddexp masked.logsumexp""",
    "jit": """jiterator_unary jiterator_binary jiterator_4inputs_with_extra_args jiterator_binary_return_by_ref
        jiterator_2inputs_2outputs""",
    "low precision": """torch._scaled_mm torch._scaled_mm_v2""",
    "signal": """signal.windows.hamming signal.windows.hann signal.windows.bartlett signal.windows.blackman
        signal.windows.cosine signal.windows.exponential signal.windows.gaussian signal.windows.kaiser
        signal.windows.general_cosine signal.windows.general_hamming signal.windows.nuttall""",
    "low rank": """svd_lowrank pca_lowrank""",
    "factor": """geqrf ormqr linalg.ldl_factor linalg.ldl_factor_ex linalg.ldl_solve linalg.householder_product""",
    "resize": """resize_ resize_as_""",
    "beta": """nn.functional.linear_cross_entropy LinearCrossEntropyLoss""",
}

REFUSED = {name: REASONS[key] for key, names in NAMES.items() for name in names.split()}
"""The reason by name, without the variant behind the slash."""

"""Recurrent layers as ops over a whole sequence: `rnn`, `lstm`, `gru`. Called by `nn.functional.recurrent`.

The input's product with its weight is done before, for all steps at once; what is left is a loop over time with one
product and the gates' arithmetic in each step. Backward is such a loop as well, an op of its own: it gives the slopes
of all rows, from which the gradient of the weight is one product over all steps.

Sequences of several lengths lie *packed*, as PyTorch packs them: x holds one row for each sequence that is still
running at step 0, then one for each at step 1, …; `batch_sizes` says how many these are, and never grows. So N
sequences of T steps are batch_sizes = (N,) * T, and nothing is special about them. With `reverse` time runs backwards.

result   the states of all rows of x, then the last state of each sequence: (rows + N, H); for the LSTM the last
         cells of each come behind these
slopes   the gradients of all rows of x, then those of the first states: (rows + N, …)

A second derivative is hardly ever wanted, so nothing is gained by another kernel: the rules of the slopes differentiate
the same recurrence written out step by step in small ops (`unrolled`).
"""

from __future__ import annotations

from byhand.ops.recurrent.gru import gated
from byhand.ops.recurrent.lstm import long_short
from byhand.ops.recurrent.rnn import plain

__all__ = ["gated", "long_short", "plain"]

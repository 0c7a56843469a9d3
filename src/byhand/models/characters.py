"""Networks that write text character by character: an RNN, LSTM or GRU, and a GPT. Called by `byhand train` and users.

Both take characters (N, T) as int64 and give scores (N, vocabulary, T) for the ones that follow, as cross-entropy
wants them; `generate` lets them go on from a prompt.
"""

from __future__ import annotations

from typing import Any

from byhand import nn
from byhand.core.errors import UsageError
from byhand.core.generator import Generator
from byhand.core.tape import no_grad
from byhand.creation import arange
from byhand.nn import functional as F
from byhand.ops.activation import softmax
from byhand.ops.random import multinomial
from byhand.ops.shape import cat
from byhand.ops.sort import topk
from byhand.tensor import Tensor

KINDS: dict[str, type[nn.Module]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def recurrent(kind: str) -> Any:
    """The recurrent layer of this name. Raises UsageError if there is none."""
    if kind not in KINDS:
        raise UsageError(f"there is no recurrent layer {kind!r}; choose from {', '.join(KINDS)}")
    return KINDS[kind]


class CharacterModel(nn.Module):
    """What both have: `following` gives the scores of the next character, and `generate` draws from them."""

    def following(self, text: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Scores (1, vocabulary) of what follows on `text` (1, T), and a state that makes the next call short."""
        raise NotImplementedError

    @no_grad()
    def generate(
        self,
        prompt: Tensor,
        length: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        """`length` characters that follow on `prompt` (T), each drawn from softmax(scores / temperature).

        `top_k` leaves only the likeliest ones to draw from. Raises UsageError for an empty prompt or a temperature
        that is not positive.
        """
        if not prompt.numel():
            raise UsageError("a prompt needs at least one character to go on from")
        if temperature <= 0:
            raise UsageError(
                f"the temperature must be positive, got {temperature}; near 0 the likeliest is always drawn"
            )
        was_training, state, found = self.training, None, prompt.reshape(1, -1)
        self.eval()
        for _ in range(length):
            scores, state = self.following(found, state)
            scores = scores / temperature
            if top_k is not None and top_k < scores.shape[-1]:
                least = topk(scores, top_k)[0][:, -1:]
                scores = scores.masked_fill(scores < least, float("-inf"))
            drawn = multinomial(softmax(scores, -1), 1, generator=generator)
            found = cat([found, drawn], 1)
        self.train(was_training)
        return found[0, prompt.numel() :]


class CharacterRNN(CharacterModel):
    """Embedding, recurrent layers, linear. Karpathy, The unreasonable effectiveness of recurrent networks, 2015."""

    def __init__(
        self,
        vocabulary: int,
        kind: str = "lstm",
        width: int = 64,
        hidden: int = 256,
        layers: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.recurrent = recurrent(kind)(
            width, hidden, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, vocabulary)

    def forward(self, text: Tensor) -> Tensor:
        out, _ = self.recurrent(self.embedding(text))
        return self.head(self.dropout(out)).transpose(1, 2)  # type: ignore[no-any-return]

    def following(self, text: Tensor, state: Any) -> tuple[Tensor, Any]:
        unseen = text if state is None else text[:, -1:]
        out, state = self.recurrent(self.embedding(unseen), state)
        return self.head(out[:, -1]), state


class Block(nn.Module):
    """x + attention(norm(x)), then x + network(norm(x)): a layer of a transformer with the norms in front."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.dropout(self.attention(self.norm1(x)))
        return x + self.dropout(self.down(F.gelu(self.up(self.norm2(x)))))  # type: ignore[no-any-return]

    def attention(self, x: Tensor) -> Tensor:
        """Every character looks at itself and those before it: softmax(q kᵀ / √d) v in each head."""
        n, t, width = x.shape
        parts = self.qkv(x).reshape(n, t, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = parts.unbind(0)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(attended.transpose(1, 2).reshape(n, t, width))  # type: ignore[no-any-return]


class GPT(CharacterModel):
    """Embeddings of characters and of places, blocks, a last norm, linear. Radford et al., GPT-2, 2019.

    Raises UsageError for a width that the heads cannot share.
    """

    def __init__(
        self,
        vocabulary: int,
        block_size: int = 64,
        width: int = 128,
        layers: int = 4,
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if width % heads:
            raise UsageError(f"a width of {width} cannot be shared by {heads} heads; choose a multiple of {heads}")
        self.block_size = block_size
        self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(block_size, width)
        self.dropout = nn.Dropout(dropout)
        blocks = [Block(width, heads, dropout) for _ in range(layers)]
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        for layer in self.modules():
            if isinstance(layer, (nn.Linear, nn.Embedding)):
                nn.init.normal_(layer.weight, std=0.02)
            if isinstance(layer, nn.Linear) and layer.bias is not None:
                nn.init.zeros_(layer.bias)
        for block in blocks:  # what is added to the stream, so that its variance does not grow with the layers
            for layer in (block.out, block.down):
                nn.init.normal_(layer.weight, std=0.02 / (2 * layers) ** 0.5)

    def forward(self, text: Tensor) -> Tensor:
        x = self.tokens(text) + self.places(arange(text.shape[1]))
        x = self.norm(self.blocks(self.dropout(x)))
        return self.head(x).transpose(1, 2)  # type: ignore[no-any-return]

    def following(self, text: Tensor, state: Any) -> tuple[Tensor, Any]:
        return self(text[:, -self.block_size :])[:, :, -1], None

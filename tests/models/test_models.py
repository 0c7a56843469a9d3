"""The networks to begin with: shapes, that they learn, and that they write on from a prompt."""

from __future__ import annotations

import numpy as np
import pytest

import byhand
from byhand import nn, optim
from byhand.core.errors import ShapeError, UsageError
from byhand.models import GAN, GPT, VAE, CharacterRNN, Forecast, LeNet, ResNet

TEXT = "abcd" * 20


def letters(text: str) -> byhand.Tensor:
    return byhand.tensor([ord(c) - ord("a") for c in text])


def writers() -> list[nn.Module]:
    byhand.manual_seed(0)
    kinds = [CharacterRNN(5, kind, width=4, hidden=12) for kind in ("rnn", "lstm", "gru")]
    return [*kinds, GPT(5, block_size=8, width=12, layers=1, heads=2)]


@pytest.mark.parametrize("index", range(4))
def test_writers_learn_a_text_and_go_on_with_it(index: int) -> None:
    model = writers()[index]
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    text = letters(TEXT)
    x, y = (byhand.stack([text[i + j : i + j + 8] for i in range(4)]) for j in (0, 1))
    for _ in range(60):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.7
    written = model.generate(letters("ab"), 12, temperature=0.01)
    assert written.tolist() == letters("cdabcdabcdab").tolist()
    assert model.training


def test_drawing_is_seeded_and_can_be_narrowed() -> None:
    model = writers()[1]
    first, again, other = (
        model.generate(letters("a"), 20, generator=byhand.Generator().manual_seed(seed)).tolist() for seed in (1, 1, 2)
    )
    assert first == again != other
    greedy = model.generate(letters("a"), 10, top_k=1).tolist()
    assert greedy == model.generate(letters("a"), 10, temperature=1e-3).tolist()


def test_what_cannot_be_gone_on_from() -> None:
    model = writers()[3]
    with pytest.raises(UsageError, match=r"at least one character"):
        model.generate(byhand.zeros(0, dtype=byhand.int64), 3)
    with pytest.raises(UsageError, match=r"temperature must be positive"):
        model.generate(letters("a"), 3, temperature=0)
    with pytest.raises(UsageError, match=r"cannot be shared by 5 heads"):
        GPT(5, width=12, heads=5)
    with pytest.raises(UsageError, match=r"no recurrent layer 'lsmt'"):
        CharacterRNN(5, "lsmt")
    with pytest.raises(ShapeError, match=r"at least 8 × 8"):
        LeNet((1, 4, 4))


@pytest.mark.parametrize("make", [lambda: LeNet((1, 8, 8), 2), lambda: ResNet(1, 2, (4, 8))], ids=["lenet", "resnet"])
def test_image_networks_learn(make: object) -> None:
    byhand.manual_seed(0)
    model = make()  # type: ignore[operator]
    x = byhand.rand(16, 1, 8, 8)
    y = byhand.arange(16) % 2
    x[y == 1, 0, 2:5, 2:5] += 1.5
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    for _ in range(25):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


def test_the_autoencoder_lowers_its_bound() -> None:
    byhand.manual_seed(0)
    model = VAE((1, 4, 4), hidden=12, latent=2)
    x = byhand.tensor(np.tile(np.eye(4, dtype=np.float32), (8, 1)).reshape(8, 1, 4, 4))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = model.loss(*model(x), x)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    made = model.generate(5)
    assert made.shape == (5, 1, 4, 4) and made.array.min() >= 0 and made.array.max() <= 1
    assert model.training


def test_each_part_of_the_gan_learns_from_its_own_loss() -> None:
    byhand.manual_seed(0)
    model = GAN((2,), width=4, latent=3)
    x = byhand.randn(6, 2)
    found, exposed, believed, made = model(x)
    assert found.shape == exposed.shape == believed.shape == (6, 1) and made.shape == (6, 2)
    assert byhand.equal(exposed, believed)
    for part, learner, other in ((found + exposed, "critic", "generator"), (believed, "generator", "critic")):
        model.zero_grad()
        part.sum().backward(retain_graph=True)
        assert all(p.grad is not None for p in getattr(model, learner).parameters())
        assert all(p.grad is None for p in getattr(model, other).parameters())
    loss = GAN.loss(found, exposed, believed).item()
    by_hand = [-nn.functional.logsigmoid(s).mean().item() for s in (found, -exposed, believed)]
    assert loss == pytest.approx(sum(by_hand))
    assert GAN((1, 3, 3), 4, 2).generate(2).shape == (2, 1, 3, 3)


def test_a_forecast_goes_on_alone() -> None:
    byhand.manual_seed(0)
    model = Forecast(hidden=8)
    wave = (0.4 * byhand.arange(41)).sin().reshape(1, 41, 1)
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(wave[:, :-1]), wave[:, 1:])
        loss.backward()
        optimizer.step()
    assert (model.ahead(wave[:, :31], 10) - wave[:, 31:]).abs().max().item() < 0.3
    by_hand = wave[:, :31]
    for _ in range(3):
        by_hand = byhand.cat([by_hand, model(by_hand)[:, -1:]], 1)
    assert byhand.allclose(model.ahead(wave[:, :31], 3), by_hand[:, 31:], atol=1e-5)

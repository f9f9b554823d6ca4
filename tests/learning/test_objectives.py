from __future__ import annotations

from typing import Any

import pytest
import torch
from pytorch_metric_learning import distances, losses, reducers
from torch import Tensor
from torch.nn.functional import pdist

from reid_tui import config
from reid_tui.errors import UsageError
from reid_tui.learning.losses import balanced_contrastive_loss
from reid_tui.learning.objectives import Cost, Objective, build_objective
from tests.learning.batches import COMBINATIONS, batch, points

SEEDS = pytest.mark.parametrize("seed", range(4))
EVERY = pytest.mark.parametrize(("loss", "miner"), COMBINATIONS, ids=["-".join(pair) for pair in COMBINATIONS])
MARGIN = torch.tensor(1.0, dtype=torch.float64)
Triplets = list[tuple[int, int, int]]


def objective(loss: str, miner: str, *, dim: int = 5, seed: int = 0) -> Objective:
    return build_objective(loss, miner, classes=7, dim=dim, seed=seed)


def cost_of(loss: str, miner: str, seed: int = 0) -> Cost:
    return objective(loss, miner)(*batch(seed), MARGIN, 3)


def all_pairs(seed: int) -> tuple[Tensor, list[tuple[int, int]], list[tuple[int, int]]]:
    """Distances, and both kinds of pairs in both directions, by a loop."""
    points_ND, labels_N, images_N = batch(seed)
    same, different = [], []
    for a in range(24):
        for b in range(24):
            if labels_N[a] != labels_N[b]:
                different.append((a, b))
            elif images_N[a] != images_N[b]:
                same.append((a, b))
    return torch.cdist(points_ND, points_ND), same, different


def hardest_pairs(seed: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    distance_NN, same, different = all_pairs(seed)
    far, near = [], []
    for anchor in range(24):
        if mine := [pair for pair in same if pair[0] == anchor]:
            far.append(max(mine, key=lambda pair: distance_NN[pair].item()))
        near.append(min((p for p in different if p[0] == anchor), key=lambda pair: distance_NN[pair].item()))
    return far, near


def as_indices(*pairs: list[Any]) -> tuple[Tensor, ...]:
    return tuple(column for of in pairs for column in torch.tensor(of).T)


def mean(values: list[float]) -> float:
    return sum(values) / max(1, len(values))


class Squared(losses.ContrastiveLoss):
    """Theirs costs the distance, not its square."""

    def get_per_pair_loss(self, *given: Any) -> Tensor:
        return super().get_per_pair_loss(*given) ** 2


def their_contrastive(points_ND: Tensor, pairs: tuple[Tensor, ...], *, inside: bool = False) -> float:
    of_different = reducers.AvgNonZeroReducer() if inside else reducers.MeanReducer()
    reducer = reducers.MultipleReducers({"pos_loss": reducers.MeanReducer(), "neg_loss": of_different})
    plain = distances.LpDistance(normalize_embeddings=False)
    loss = Squared(pos_margin=0, neg_margin=MARGIN.item(), distance=plain, reducer=reducer)
    return loss(points_ND, indices_tuple=pairs).item() / 2


@SEEDS
def test_contrastive_over_all_pairs_or_those_inside_the_margin(seed: int) -> None:
    distance_NN, same, different = all_pairs(seed)
    same_cost = [distance_NN[pair].item() ** 2 for pair in same]
    different_cost = [max(0, 1 - distance_NN[pair].item()) ** 2 for pair in different]
    costing = [cost for cost in different_cost if cost > 0]
    of_all, inside = cost_of("contrastive", "all", seed), cost_of("contrastive", "margin", seed)
    assert of_all.loss.item() == pytest.approx((mean(same_cost) + mean(different_cost)) / 2, abs=1e-9)
    assert inside.loss.item() == pytest.approx((mean(same_cost) + mean(costing)) / 2, abs=1e-9)
    share = (len(same) + len(costing)) / (len(same) + len(different))
    assert 0 < share < 1
    assert of_all.teaching.item() == inside.teaching.item() == pytest.approx(share)


@SEEDS
def test_contrastive_equals_theirs(seed: int) -> None:
    points_ND = batch(seed)[0]
    _, same, different = all_pairs(seed)
    every, hardest = as_indices(same, different), as_indices(*hardest_pairs(seed))
    assert cost_of("contrastive", "all", seed).loss.item() == pytest.approx(
        their_contrastive(points_ND, every), abs=1e-6
    )
    inside = their_contrastive(points_ND, every, inside=True)
    assert cost_of("contrastive", "margin", seed).loss.item() == pytest.approx(inside, abs=1e-6)
    assert cost_of("contrastive", "hard", seed).loss.item() == pytest.approx(
        their_contrastive(points_ND, hardest), abs=1e-6
    )


def test_contrastive_over_all_pairs_is_the_balanced_loss_bit_for_bit() -> None:
    points_ND = points(128, 8).float().requires_grad_()
    labels_N = torch.arange(128) % 10
    row, column = torch.triu_indices(128, 128, 1)
    margin = torch.tensor(1.0)
    before = balanced_contrastive_loss(pdist(points_ND), labels_N[row] == labels_N[column], margin)
    after = objective("contrastive", "all")(points_ND, labels_N, torch.arange(128), margin).loss
    assert torch.equal(before, after)
    assert torch.equal(*(torch.autograd.grad(value, points_ND)[0] for value in (before, after)))


def hard_triplets(seed: int) -> Triplets:
    far, near = hardest_pairs(seed)
    nearest = dict(near)
    return [(anchor, same, nearest[anchor]) for anchor, same in far]


@SEEDS
def test_triplet_equals_theirs(seed: int) -> None:
    points_ND = batch(seed)[0]
    plain = distances.LpDistance(normalize_embeddings=False)
    found = tuple(torch.tensor(hard_triplets(seed)).T)
    theirs = losses.TripletMarginLoss(margin=1.0, distance=plain)(points_ND, indices_tuple=found)
    cost = cost_of("triplet", "hard", seed)
    assert cost.loss.item() == pytest.approx(theirs.item(), abs=1e-6)
    soft = losses.TripletMarginLoss(margin=0, smooth_loss=True, distance=plain, reducer=reducers.MeanReducer())
    assert cost_of("soft-triplet", "hard", seed).loss.item() == pytest.approx(
        soft(points_ND, indices_tuple=found).item(), abs=1e-6
    )


def test_teaching_is_the_share_of_triplets_that_cost_something() -> None:
    points_ND = torch.tensor([[0.0], [0.1], [5.0], [5.2], [5.9], [6.0]])
    labels_N = torch.tensor([0, 0, 1, 1, 2, 2])
    cost = objective("triplet", "hard", dim=1)(points_ND, labels_N, torch.arange(6), torch.tensor(1.0))
    violations = [0.2 - 0.9 + 1, 0.2 - 0.7 + 1, 0.1 - 0.7 + 1, 0.1 - 0.8 + 1]
    assert cost.teaching.item() == pytest.approx(4 / 6)
    assert cost.loss.item() == pytest.approx(mean(violations), abs=1e-6)


@SEEDS
@pytest.mark.parametrize(
    ("loss", "theirs"),
    [
        ("multi-similarity", losses.MultiSimilarityLoss()),
        ("ntxent", losses.NTXentLoss()),
        ("circle", losses.CircleLoss()),
        ("supcon", losses.SupConLoss()),
    ],
)
def test_losses_over_similarities_equal_theirs_without_pairs_of_one_image(seed: int, loss: str, theirs: Any) -> None:
    _, same, different = all_pairs(seed)
    expected = theirs(batch(seed)[0], indices_tuple=as_indices(same, different)).item()
    assert cost_of(loss, "all", seed).loss.item() == pytest.approx(expected, abs=1e-6)


@SEEDS
@pytest.mark.parametrize(("loss", "theirs"), [("arcface", "ArcFaceLoss"), ("proxy-anchor", "ProxyAnchorLoss")])
def test_losses_with_weights_equal_theirs(seed: int, loss: str, theirs: str) -> None:
    points_ND, labels_N, images_N = batch(seed)
    made, their = objective(loss, "all"), getattr(losses, theirs)(num_classes=7, embedding_size=5)
    their.load_state_dict({name.removeprefix("weights."): value for name, value in made.state_dict().items()})
    ours = made(points_ND, labels_N, images_N, MARGIN).loss.item()
    assert ours == pytest.approx(their(points_ND, labels_N).item(), rel=1e-5)


def test_margin_loss_is_theirs_at_its_published_margin() -> None:
    points_ND = batch()[0]
    plain = distances.LpDistance(normalize_embeddings=False)
    theirs = losses.MarginLoss(margin=0.2, beta=1.2, distance=plain)(
        points_ND, indices_tuple=tuple(torch.tensor(hard_triplets(0)).T)
    )
    ours = objective("margin", "hard")(*batch(), torch.tensor(1.4, dtype=torch.float64)).loss
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-6)


@EVERY
def test_the_margin_is_live_where_the_loss_says_so(loss: str, miner: str) -> None:
    made, margin = objective(loss, miner), torch.tensor(1.0, dtype=torch.float64)
    before = made(*batch(), margin).loss.item()
    margin.fill_(1.5)
    assert made.steered_by_margin == (made(*batch(), margin).loss.item() != before)
    assert (made.why_not is None) == made.steered_by_margin
    assert made.why_not is None or made.why_not.startswith(f"{loss} has ")


@EVERY
@SEEDS
def test_gradient_against_finite_differences(loss: str, miner: str, seed: int) -> None:
    made, labels_N, images_N = objective(loss, miner), batch(seed)[1], torch.arange(24)
    for parameter in made.parameters():
        parameter.data = parameter.data.double()
    if loss == "circle":
        return  # by its definition the gradient takes the weights of the similarities for constants
    points_ND, along_ND = points(24, 5, seed + 8).requires_grad_(), points(24, 5, seed + 80)

    def value(step: float) -> float:
        return made(points_ND.detach() + step * along_ND, labels_N, images_N, MARGIN).loss.item()

    made(points_ND, labels_N, images_N, MARGIN).loss.backward()
    slope = (value(1e-6) - value(-1e-6)) / 2e-6
    assert (points_ND.grad * along_ND).sum().item() == pytest.approx(slope, rel=1e-4, abs=1e-6)


@EVERY
def test_two_steps_of_adam_lower_it(loss: str, miner: str) -> None:
    made, margin = objective(loss, miner, dim=8), torch.tensor(1.0)
    points_ND = torch.nn.Parameter(points(16, 8).float())
    labels_N, images_N = torch.arange(16) // 4, torch.arange(16)
    optimizer = torch.optim.Adam([points_ND, *made.parameters()], lr=0.01)
    values = []
    for _ in range(3):
        cost = made(points_ND, labels_N, images_N, margin)
        assert cost.loss.shape == cost.teaching.shape == ()
        assert cost.loss.dtype == torch.float32
        assert 0 < cost.teaching.item() <= 1 or not made.steered_by_margin
        values.append(cost.loss.item())
        optimizer.zero_grad()
        cost.loss.backward()
        assert all(torch.isfinite(p.grad).all() for p in (points_ND, *made.parameters()))
        optimizer.step()
    assert values[2] < values[1] < values[0] < float("inf")


@EVERY
@pytest.mark.parametrize(
    "labels",
    [[0, 1, 2, 3], [2, 2, 2, 2], [0, 0, 0, 1], [3], []],
    ids=["singletons", "one identity", "a singleton", "one image", "none"],
)
def test_whatever_a_batch_lacks_nothing_is_nan(loss: str, miner: str, labels: list[int]) -> None:
    made, labels_N = objective(loss, miner), torch.tensor(labels, dtype=torch.int64)
    for start_ND in (points(len(labels), 5).float(), torch.ones(len(labels), 5), torch.zeros(len(labels), 5)):
        for images_N in (torch.arange(len(labels)), labels_N):
            points_ND = start_ND.clone().requires_grad_()
            cost = made(points_ND, labels_N, images_N, torch.tensor(1.0))
            cost.loss.backward()
            assert torch.isfinite(cost.loss)
            assert 0 <= cost.teaching.item() <= 1 if made.steered_by_margin else cost.teaching.isnan()
            assert torch.isfinite(points_ND.grad).all()
            assert cost.loss.item() == 0 or len(labels) > 1


@EVERY
def test_what_batches_of_single_images_leave_is_known(loss: str, miner: str) -> None:
    points_ND = torch.nn.functional.normalize(points(7, 5)).requires_grad_()
    objective(loss, miner)(points_ND, torch.arange(7), torch.arange(7), MARGIN).loss.backward()
    assert bool(points_ND.grad.any()) == ((loss, miner) in config.WITHOUT_SAME)


def test_a_point_on_its_identitys_own_weight_has_a_finite_gradient() -> None:
    made = objective("arcface", "all")
    points_ND = (made.weights.W.detach().T[:4] * 3).clone().requires_grad_()
    made(points_ND, torch.arange(4), torch.arange(4), torch.tensor(1.0)).loss.backward()
    assert torch.isfinite(points_ND.grad).all()
    assert made.weights.get_cosine(points_ND).max() < 1


@EVERY
@pytest.mark.parametrize("rows", [slice(None), slice(0, 1)], ids=["all", "one"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_hidden(loss: str, miner: str, rows: slice, value: float) -> None:
    points_ND = points(16, 5).float()
    points_ND[rows] = value
    points_ND.requires_grad_()
    cost = objective(loss, miner)(points_ND, torch.arange(16) // 4, torch.arange(16), torch.tensor(1.0))
    cost.loss.backward()
    assert not (torch.isfinite(cost.loss) and torch.isfinite(points_ND.grad).all())


@EVERY
def test_seed_alone_decides_weights_and_draws(loss: str, miner: str) -> None:
    before = torch.get_rng_state()
    one, same, other = (objective(loss, miner, seed=seed) for seed in (4, 4, 5))
    drawn = [one(*batch(), MARGIN, step).loss.item() for step in (7, 7, 8)]
    assert torch.equal(torch.get_rng_state(), before)
    assert one.state_dict().keys() == same.state_dict().keys()
    for name, value in one.state_dict().items():
        assert name in ("weights.W", "weights.proxies")
        assert torch.equal(value, same.state_dict()[name])
        assert not torch.equal(value, other.state_dict()[name])
    assert drawn[0] == drawn[1] == same(*batch(), MARGIN, 7).loss.item()
    assert (drawn[0] != drawn[2]) == (miner == "distance")
    assert bool(list(one.parameters())) == (loss in ("arcface", "proxy-anchor"))


def test_largest_seed_and_step_are_a_generators_seed() -> None:
    made = objective("contrastive", "distance", seed=int(config.LIMITS["seed"].high))
    assert torch.isfinite(made(*batch(), MARGIN, int(config.LIMITS["steps"].high)).loss)


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(UsageError, match="--miner must be all with --loss ntxent, not 'hard'"):
        objective("ntxent", "hard")

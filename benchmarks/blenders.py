"""Do predicted children look like the true ones? Every strategy on families that no training saw.

    python benchmarks/blenders.py TRIOS.safetensors [--weights BLENDER.safetensors] [--seed 0] [--json FILE]

For each trio of the test families: is the rendered child (code alone) nearer to the true child than to the
other families' children, by embeddings? AUC 0.5 is chance; intervals are 95 %, over families drawn with replacement.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend import load_backbone, load_trios
from kinblend.backbone import make_plugin
from kinblend_plugins.blenders.bridge import Render

DRAWS = 1000
STRATEGIES = {
    "father alone": ("average", {"share": 1.0}),
    "mother alone": ("average", {"share": 0.0}),
    "average": ("average", {}),
    "slerp": ("slerp", {}),
    "mask": ("mask", {}),
    "shape of the father, texture of the mother": ("layer", {"shares": {"0": 1.0}, "default": 0.0}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("trios", type=Path)
    parser.add_argument("--backbone", default="morphable")
    parser.add_argument("--weights", type=Path, help="of the learned blender")
    parser.add_argument("--seed", type=int, default=0, help="of the split, as in training")
    parser.add_argument("--json", type=Path)
    words = parser.parse_args()
    backbone = load_backbone(words.backbone)
    trios = load_trios(words.trios, backbone.space)
    rows = trios.parts(words.seed)["test"]
    families = [trios.families[row] for row in rows]
    truth, render = F.normalize(trios.embedding[rows], dim=1), Render(backbone)
    strategies = dict(STRATEGIES)
    if words.weights or "blender.safetensors" in backbone.pack.files:
        options = {"weights": str(words.weights)} if words.weights else {}
        strategies["learned"] = ("learned", options)
    scores = {}
    for title, (name, options) in strategies.items():
        blender = make_plugin("blender", name, backbone.context, options)
        with torch.inference_mode():
            codes = [blender.blend(trios.father[row], trios.mother[row], row).code for row in rows]
            found = torch.cat([render(batch) for batch in torch.stack(codes).split(16)])
        scores[title] = ranks(found @ truth.T, families)
    report = {"rows": len(rows), "families": len(set(families))}
    for title, values in scores.items():
        report[title] = interval(values, families)
        if title != "average":
            report[title]["less average"] = interval(values - scores["average"], families)
    print(json.dumps(report, indent=1))
    if words.json:
        words.json.write_text(json.dumps(report, indent=1) + "\n")


def ranks(similarity: Tensor, families: list[str]) -> Tensor:
    """For each row, the share of other families' children that the prediction is less similar to than to its own."""
    other = torch.tensor([[a != b for b in families] for a in families])
    own = similarity.diagonal()[:, None]
    won = (own > similarity).float() + 0.5 * (own == similarity).float()
    return (won * other).sum(1) / other.sum(1)


def interval(values: Tensor, families: list[str]) -> dict[str, object]:
    rows_of: dict[str, list[int]] = {}
    for row, family in enumerate(families):
        rows_of.setdefault(family, []).append(row)
    names, numbers = sorted(rows_of), random.Random(0)
    means = torch.tensor([float(values[rows_of[name]].mean()) for name in names])
    drawn = sorted(float(means[numbers.choices(range(len(names)), k=len(names))].mean()) for _ in range(DRAWS))
    low, high = drawn[round(DRAWS * 0.025)], drawn[round(DRAWS * 0.975) - 1]
    return {"AUC": round(float(means.mean()), 4), "95 %": [round(low, 4), round(high, 4)]}


if __name__ == "__main__":
    main()

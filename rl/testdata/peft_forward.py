#!/usr/bin/env python3
"""Does PEFT, with the folder that we wrote, compute what our forward computes? Compares log-probs token by token.

    python3 peft_forward.py --tokens replay.jsonl
    longhand train --base base.gguf --adapter RUN/checkpoint-000150 --replay replay.jsonl --dump dump.safetensors --lr 0
    longhand export checkpoint RUN --format peft --out peft
    python3 peft_forward.py --base base.gguf --peft peft --replay replay.jsonl --dump dump.safetensors

The first call writes tokens to compare on. Needs torch, transformers, peft, gguf, accelerate, safetensors.
"""
import argparse, json, os, random

p = argparse.ArgumentParser()
for name in ["tokens", "base", "peft", "replay", "dump"]:
    p.add_argument("--" + name)
a = p.parse_args()

if a.tokens:
    random.seed(5)
    draw = lambda n: [random.randrange(20, 40000) for _ in range(n)]
    with open(a.tokens, "w") as f:
        for _ in range(3):
            f.write(json.dumps(dict(prompt=draw(12), completions=[dict(tokens=draw(40), advantage=1), dict(tokens=draw(25), advantage=-1)])) + "\n")
    raise SystemExit

import torch, transformers, peft, safetensors.torch

torch.set_num_threads(2)
path = os.path.abspath(a.base)
base = transformers.AutoModelForCausalLM.from_pretrained(os.path.dirname(path), gguf_file=os.path.basename(path), dtype=torch.float32).eval()
dump = safetensors.torch.load_file(a.dump)


def logp(model, prompt, tokens):
    with torch.no_grad():
        out = torch.log_softmax(model(torch.tensor([prompt + tokens])).logits[0].double(), -1)
    return out[len(prompt) - 1 : -1].gather(1, torch.tensor(tokens).unsqueeze(1)).squeeze(1)


lines = [json.loads(l) for l in open(a.replay)]
plain = {}
for i, l in enumerate(lines):
    for j, c in enumerate(l["completions"]):
        plain[i, j] = logp(base, l["prompt"], c["tokens"])
model = peft.PeftModel.from_pretrained(base, a.peft).eval()
worst = worst_plain = moved = n = 0.0
for i, l in enumerate(lines):
    for j, c in enumerate(l["completions"]):
        theirs = logp(model, l["prompt"], c["tokens"])
        worst = max(worst, (theirs - dump[f"logps.{i}.{j}"].double()).abs().max().item())
        if f"ref_logps.{i}.{j}" in dump:
            worst_plain = max(worst_plain, (plain[i, j] - dump[f"ref_logps.{i}.{j}"].double()).abs().max().item())
        moved, n = moved + (theirs - plain[i, j]).abs().sum().item(), n + len(theirs)
print(f"{int(n)} tokens, which the adapter moves by {moved / n:.3f} nat; log-probs differ by {worst:.2g} at most with PEFT, {worst_plain:.2g} without")

#!/usr/bin/env python3
"""Does PEFT apply our folder as llama.cpp's files have it? Compares logits in PyTorch.

    LONGHAND_SAMPLE_MODEL=base.gguf LONGHAND_EXPORT_DIR=/tmp/x go test -run TestSampleModel ./rl/checkpoint
    pip install torch transformers peft gguf accelerate
    python3 peft_check.py base.gguf /tmp/x

transformers reads the GGUF files itself and puts the rows of q and k back by its own code. So: base + PEFT folder
against our merged F16 file, which have only F16 rounding between them; against the base alone, for scale.
"""
import os, sys
import torch, transformers, peft

base, out = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
torch.set_num_threads(1)
ids = torch.arange(1, 65).reshape(1, -1) * 701 % 49152


def load(path):
    return transformers.AutoModelForCausalLM.from_pretrained(os.path.dirname(path), gguf_file=os.path.basename(path), dtype=torch.float32).eval()


def logp(model):
    with torch.no_grad():
        return torch.log_softmax(model(ids).logits[0].double(), -1)


def kl(p, q):
    return (p.exp() * (p - q)).sum(-1).mean().item()


plain = logp(load(base))
model = peft.PeftModel.from_pretrained(load(base), os.path.join(out, "peft")).eval()
adapted = logp(model)
print("torch", torch.__version__, "transformers", transformers.__version__, "peft", peft.__version__)
print("modules with LoRA:", sum(1 for n, _ in model.named_modules() if n.endswith("lora_A")))
print(f"base against base + PEFT: KL {kl(adapted, plain):.6f}, log-probs differ by {(adapted - plain).abs().max():.4f} at most")
for name in ["f16", "q8_0", "keep"]:
    merged = logp(load(os.path.join(out, f"merged-{name}.gguf")))
    d = (adapted - merged).abs()
    print(f"base + PEFT against merged {name}: KL {kl(adapted, merged):.3g}, 1 - ratio {1 - kl(adapted, merged) / kl(adapted, plain):.6f}, "
          f"log-probs differ by {d.max():.4f} at most, {d.mean():.5f} on average")

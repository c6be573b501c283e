#!/usr/bin/env python3
"""Makes the goldens of rl/model from PyTorch, in float64 and by autograd.

    python3 gen.py [--check]

Needs torch (Debian's python3-torch will do). Writes beside itself, for llama, qwen2 and qwen3:

    NAME.gguf         a tiny random model: F32 tensors, names and row order as llama.cpp's converter has them
    NAME.safetensors  adapter tensors: param.T (before), CASE/grad.T and after.T (after ten steps), T as blk.0.attn_q.weight.lora_a
    NAME.json         the batch, log-probs, entropies, and of every case the loss, dL/dlogp of every token and the gradient's norm

Each completion is run behind its own copy of the prompt, alone: nothing is packed, padded or shared here.
The decoder and the losses are written from their formulas; --check compares the decoder with the
implementations of transformers (LlamaForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM).
"""
import json
import math
import os
import platform
import random
import struct
import sys

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
F64 = torch.float64
RANK, ALPHA = 4, 10.0
PROJECTIONS = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]
PROMPTS = [7, 4, 1]
COMPLETIONS = [[5, 1, 8], [3, 9, 6, 2], [2, 1]]

MODELS = {
    "llama": dict(layers=2, width=64, ff=96, heads=4, kv=2, size=16, vocab=97, base=10000.0, eps=1e-5, tied=False, freqs=True,
                  grads=["dapo", "cispo", "sft"], steps="dapo", clip=0.6),
    "qwen2": dict(layers=2, width=64, ff=96, heads=4, kv=1, size=16, vocab=97, base=1000000.0, eps=1e-6, tied=True, bias=True,
                  grads=["grpo", "gspo"], steps="gspo", clip=0.6),
    "qwen3": dict(layers=2, width=48, ff=80, heads=6, kv=2, size=12, vocab=89, base=1000000.0, eps=1e-6, tied=False, norms=True,
                  grads=["dr_grpo", "on_policy"], steps="cispo", clip=0.6),
}

# Of each case: the loss and its options, by TRL's names, which log-probs it is given, and which completions are left out.
CASES = {
    "dapo": dict(loss_type="dapo", epsilon=0.2, epsilon_high=0.28, beta=0.04, old="old", sampler=True, masked=[4]),
    "grpo": dict(loss_type="grpo", epsilon=0.2, epsilon_high=0.28, beta=0.0, old="old", sampler=False, dead=[7, 8]),
    "dr_grpo": dict(loss_type="dr_grpo", epsilon=0.2, epsilon_high=0.28, beta=0.1, old="old", sampler=True, dead=[7, 8]),
    "cispo": dict(loss_type="cispo", epsilon=0.2, epsilon_high=5.0, beta=0.02, old="old", sampler=True, masked=[0]),
    "gspo": dict(loss_type="gspo", epsilon=3e-4, epsilon_high=4e-4, beta=0.03, old="near", sampler=True),
    "on_policy": dict(loss_type="dapo", epsilon=0.2, epsilon_high=0.28, beta=0.0, old=None, sampler=True, masked=[2], dead=[7, 8]),
    "sft": dict(loss_type="sft", epsilon=0.2, epsilon_high=0.28, beta=0.0, old=None, sampler=False),
}
CAP, MAX_TOKENS = 2.0, 16
STEPS, OPTIMIZER = 10, dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.1)


def f32(x):
    """x as a float32 holds it."""
    return struct.unpack("<f", struct.pack("<f", x))[0]


class Random(random.Random):
    def normal(self, spread, *shape, mean=0.0):
        """A float64 tensor of numbers that float32 can hold."""
        v = [f32(self.gauss(mean, spread)) for _ in range(math.prod(shape))]
        return torch.tensor(v, dtype=F64).reshape(shape)


# ---- the model -------------------------------------------------------------------------------

def weights(c, r):
    """Random weights of a model, by GGUF name."""
    w, heads, keys = {}, c["heads"] * c["size"], c["kv"] * c["size"]
    shapes = dict(attn_q=(heads, c["width"]), attn_k=(keys, c["width"]), attn_v=(keys, c["width"]), attn_output=(c["width"], heads),
                  ffn_gate=(c["ff"], c["width"]), ffn_up=(c["ff"], c["width"]), ffn_down=(c["width"], c["ff"]))
    w["token_embd.weight"] = r.normal(0.2, c["vocab"], c["width"])
    if c.get("freqs"):
        w["rope_freqs.weight"] = torch.tensor([f32(1 + 0.7 * j) for j in range(c["size"] // 2)], dtype=F64)
    for i in range(c["layers"]):
        blk = f"blk.{i}."
        w[blk + "attn_norm.weight"] = r.normal(0.2, c["width"], mean=1)
        for p, (out, n) in shapes.items():
            w[blk + p + ".weight"] = r.normal(1 / math.sqrt(n), out, n)
            if c.get("bias") and p in ("attn_q", "attn_k", "attn_v"):
                w[blk + p + ".bias"] = r.normal(0.3, out)
        if c.get("norms"):
            w[blk + "attn_q_norm.weight"] = r.normal(0.2, c["size"], mean=1)
            w[blk + "attn_k_norm.weight"] = r.normal(0.2, c["size"], mean=1)
        w[blk + "ffn_norm.weight"] = r.normal(0.2, c["width"], mean=1)
    w["output_norm.weight"] = r.normal(0.2, c["width"], mean=1)
    if not c["tied"]:
        w["output.weight"] = r.normal(0.2, c["vocab"], c["width"])
    return w


def adapter(c, w, r):
    """Random adapter tensors, B not zero."""
    a = {}
    for i in range(c["layers"]):
        for p in PROJECTIONS:
            name = f"blk.{i}.{p}.weight"
            out, n = w[name].shape
            a[name + ".lora_a"] = r.normal(1 / math.sqrt(n), RANK, n)
            a[name + ".lora_b"] = r.normal(0.05, out, RANK)
    return a


def rmsnorm(x, gain, eps):
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + eps) * gain


def rope(name, c, w, x):
    """x: tokens x heads x size. llama turns neighbours, the others the two halves."""
    half = c["size"] // 2
    freq = c["base"] ** (-torch.arange(half, dtype=F64) / half)
    if c.get("freqs"):
        freq = freq / w["rope_freqs.weight"]
    angle = torch.arange(x.shape[0], dtype=F64)[:, None, None] * freq
    cos, sin = angle.cos(), angle.sin()
    a, b = (x[..., 0::2], x[..., 1::2]) if name == "llama" else (x[..., :half], x[..., half:])
    turned = a * cos - b * sin, a * sin + b * cos
    return torch.stack(turned, -1).flatten(-2) if name == "llama" else torch.cat(turned, -1)


def logits(name, c, w, a, ids):
    """Logits behind each token of one sequence; a is the adapter, or None."""
    eps, n = f32(c["eps"]), len(ids)

    def project(tensor, x):
        y = x @ w[tensor + ".weight"].T
        if tensor + ".bias" in w:
            y = y + w[tensor + ".bias"]
        if a is not None:
            y = y + ALPHA / RANK * (x @ a[tensor + ".weight.lora_a"].T @ a[tensor + ".weight.lora_b"].T)
        return y

    x = w["token_embd.weight"][ids]
    causal = torch.ones(n, n, dtype=torch.bool).tril()
    for i in range(c["layers"]):
        blk = f"blk.{i}."
        h = rmsnorm(x, w[blk + "attn_norm.weight"], eps)
        q, k, v = (project(blk + p, h).reshape(n, -1, c["size"]) for p in ("attn_q", "attn_k", "attn_v"))
        if c.get("norms"):
            q, k = rmsnorm(q, w[blk + "attn_q_norm.weight"], eps), rmsnorm(k, w[blk + "attn_k_norm.weight"], eps)
        q, k = rope(name, c, w, q), rope(name, c, w, k)
        group = c["heads"] // c["kv"]
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        scores = torch.einsum("thd,shd->hts", q, k) / math.sqrt(c["size"])
        p = scores.masked_fill(~causal, -math.inf).softmax(-1)
        x = x + project(blk + "attn_output", torch.einsum("hts,shd->thd", p, v).reshape(n, -1))
        h = rmsnorm(x, w[blk + "ffn_norm.weight"], eps)
        gate, up = project(blk + "ffn_gate", h), project(blk + "ffn_up", h)
        x = x + project(blk + "ffn_down", gate * torch.sigmoid(gate) * up)
    x = rmsnorm(x, w["output_norm.weight"], eps)
    return x @ w.get("output.weight", w["token_embd.weight"]).T


def score(name, c, w, a, groups):
    """Log-prob of every completion token and entropy of what it was drawn from, a list of completions each."""
    lps, entropies = [], []
    for g in groups:
        for completion in g["completions"]:
            ids = g["prompt"] + completion
            z = logits(name, c, w, a, ids).log_softmax(-1)[len(g["prompt"]) - 1:-1]
            lps.append(z.gather(1, torch.tensor(completion)[:, None])[:, 0])
            entropies.append(-(z.exp() * z).sum(-1))
    return lps, entropies


# ---- the loss --------------------------------------------------------------------------------

def loss(o, lps, items, refs):
    """The loss of section 5 of the design. lps carry the gradient; the rest are constants."""
    counted = [i for i in range(len(lps)) if i not in o.get("masked", []) and not (o["beta"] == 0 and i in o.get("dead", []))]
    tokens = sum(len(lps[i]) for i in counted)
    total = 0
    for i in counted:
        lp, a = lps[i], items[i]["advantage"]
        lpo = torch.tensor(items[i][o["old"]], dtype=F64) if o["old"] else lp.detach()
        w = torch.ones_like(lp)
        if o["sampler"]:
            w = (lpo - torch.tensor(items[i]["sampler"], dtype=F64)).clamp(-20, 20).exp().clamp(max=CAP)
        r = (lp - lpo).exp()
        if o["loss_type"] == "gspo":
            r = (lp - lpo).mean().exp().expand(len(lp))
        if o["loss_type"] == "sft":
            token = -lp
        elif o["loss_type"] == "cispo":
            token = -w * r.detach().clamp(max=o["epsilon_high"]) * a * lp
        else:
            token = -w * torch.min(r * a, r.clamp(1 - o["epsilon"], 1 + o["epsilon_high"]) * a)
        if o["beta"] > 0:
            d = refs[i] - lp
            token = token + o["beta"] * (torch.expm1(d) - d)
        if o["loss_type"] == "grpo":
            total = total + token.mean() / len(counted)
        elif o["loss_type"] == "dr_grpo":
            total = total + token.sum() / (len(counted) * MAX_TOKENS)
        else:
            total = total + token.sum() / tokens
    return total


def batch(name, c, w, a, r):
    """Groups, and of every completion what a loss is given. Old log-probs lie near the adapter's, so far off that both
    clips act; "near" ones so near that gspo's clips act on some completions only."""
    groups = [{"prompt": [r.randrange(c["vocab"]) for _ in range(p)],
               "completions": [[r.randrange(c["vocab"]) for _ in range(n)] for n in lengths]} for p, lengths in zip(PROMPTS, COMPLETIONS)]
    lps, _ = score(name, c, w, a, groups)
    items = []
    for i, lp in enumerate(lps):
        lp, n = lp.tolist(), len(lp)
        old = [v + r.gauss(0, 0.3) for v in lp]
        if i % 3 == 1:
            old[-1] = lp[-1] - 2  # a ratio of 7.4
        noise = [r.gauss(0, 1e-3) for _ in range(n)]
        shift = [2e-4, -1e-4, 1e-3, -1e-3][i % 4] - sum(noise) / n
        near = [v + e + shift for v, e in zip(lp, noise)]
        sampler = [v + r.gauss(0, 0.5) for v in old]
        items.append(dict(advantage=r.gauss(0, 1.5) + (0.3 if i % 2 else -0.3), old=old, near=near, sampler=sampler))
    return groups, items


# ---- goldens ---------------------------------------------------------------------------------

def lists(ts):
    return [t.tolist() for t in ts]


def total_norm(ts):
    return math.sqrt(sum((t * t).sum().item() for t in ts))


def case(o, name, c, w, a, groups, items, refs):
    """Loss, dL/dlogp and adapter gradient of one case."""
    lps, _ = score(name, c, w, a, groups)
    value = loss(o, lps, items, refs)
    grads = torch.autograd.grad(value, lps + list(a.values()), allow_unused=True)
    dlogp = [torch.zeros_like(lp) if g is None else g for lp, g in zip(lps, grads)]
    da = dict(zip(a, grads[len(lps):]))
    return dict(o, loss=value.item(), dlogp=lists(dlogp), norm=total_norm(da.values())), da


def train(o, name, c, w, a, groups, items, refs):
    """Ten steps on the same batch."""
    a = {n: t.detach().clone().requires_grad_() for n, t in a.items()}
    optimizer = torch.optim.AdamW(a.values(), **OPTIMIZER)
    losses, norms = [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        value = loss(o, score(name, c, w, a, groups)[0], items, refs)
        value.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(a.values(), c["clip"])))
        optimizer.step()
        losses.append(value.item())
    return losses, norms, {n: t.detach() for n, t in a.items()}


def golden(name, c):
    r = Random(f"longhand {name}")
    w = weights(c, r)
    a = adapter(c, w, r)
    groups, items = batch(name, c, w, a, r)
    for t in a.values():
        t.requires_grad_()
    lps, entropies = score(name, c, w, a, groups)
    refs = [t.detach() for t in score(name, c, w, None, groups)[0]]
    cases, arrays = {}, {f"param.{n}": t.detach() for n, t in a.items()}
    for k, o in CASES.items():
        cases[k], grads = case(o, name, c, w, a, groups, items, refs)
        if k in c["grads"]:
            arrays.update({f"{k}/grad.{n}": t for n, t in grads.items()})
    losses, norms, after = train(CASES[c["steps"]], name, c, w, a, groups, items, refs)
    arrays.update({f"after.{n}": t for n, t in after.items()})
    steps = dict(case=c["steps"], loss=losses, norm=norms, max_norm=c["clip"], rate=OPTIMIZER["lr"], beta1=OPTIMIZER["betas"][0],
                 beta2=OPTIMIZER["betas"][1], eps=OPTIMIZER["eps"], decay=OPTIMIZER["weight_decay"])
    versions = dict(python=platform.python_version(), torch=torch.__version__)
    text = dict(versions=versions, rank=RANK, alpha=ALPHA, importance_sampling_cap=CAP, max_completion_length=MAX_TOKENS, grads=c["grads"],
                groups=groups, items=items, logps=lists(lps), entropies=lists(entropies), refs=lists(refs), cases=cases, steps=steps)
    write_gguf(os.path.join(HERE, name + ".gguf"), name, c, w)
    write_safetensors(os.path.join(HERE, name + ".safetensors"), arrays)
    with open(os.path.join(HERE, name + ".json"), "w") as f:
        json.dump(text, f, indent=None, separators=(",", ":"))
        f.write("\n")
    print(name, "losses", " ".join(f"{v['loss']:.4f}" for v in cases.values()), "norms", " ".join(f"{v['norm']:.3f}" for v in cases.values()))
    print(name, "steps", " ".join(f"{v:.4f}" for v in losses), "norms", " ".join(f"{v:.3f}" for v in norms))


# ---- files -----------------------------------------------------------------------------------

def write_gguf(path, name, c, w):
    """GGUF version 3 with F32 tensors; dimensions fastest first, data at multiples of 32."""
    def text(s):
        return struct.pack("<Q", len(s.encode())) + s.encode()

    def uint(v):
        return struct.pack("<II", 4, v)

    def real(v):
        return struct.pack("<If", 6, v)

    def words(s):
        return struct.pack("<I", 8) + text(s)

    keys = {"general.architecture": words(name), "general.name": words("tiny random " + name), "tokenizer.ggml.model": words("no_vocab"),
            ".vocab_size": uint(c["vocab"]), ".context_length": uint(64), ".embedding_length": uint(c["width"]), ".block_count": uint(c["layers"]),
            ".feed_forward_length": uint(c["ff"]), ".attention.head_count": uint(c["heads"]), ".attention.head_count_kv": uint(c["kv"]),
            ".attention.key_length": uint(c["size"]), ".attention.value_length": uint(c["size"]), ".rope.dimension_count": uint(c["size"]),
            ".attention.layer_norm_rms_epsilon": real(c["eps"]), ".rope.freq_base": real(c["base"])}
    out = b"GGUF" + struct.pack("<IQQ", 3, len(w), len(keys))
    for k, v in keys.items():
        out += text(name + k if k.startswith(".") else k) + v
    data = b""
    for n, t in w.items():
        shape = list(reversed(t.shape))
        out += text(n) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<IQ", 0, len(data))
        data += struct.pack(f"<{t.numel()}f", *t.flatten().tolist())
        data += bytes(-len(data) % 32)
    with open(path, "wb") as f:
        f.write(out + bytes(-len(out) % 32) + data)


def write_safetensors(path, arrays):
    """F64, but what float32 can hold as F32."""
    header, data = {}, b""
    for n, t in arrays.items():
        v = t.flatten().tolist()
        kind, code = ("F32", "f") if n.startswith("param.") else ("F64", "d")
        b = struct.pack(f"<{len(v)}{code}", *v)
        header[n] = dict(dtype=kind, shape=list(t.shape), data_offsets=[len(data), len(data) + len(b)])
        data += b
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


# ---- against transformers ----------------------------------------------------------------------

def check(name, c):
    """The largest difference of logits from transformers', the adapter merged, with its float32 parts raised to float64."""
    import transformers
    r = Random(f"longhand {name}")
    w = weights(c, r)
    a = adapter(c, w, r)
    config = getattr(transformers, {"llama": "LlamaConfig", "qwen2": "Qwen2Config", "qwen3": "Qwen3Config"}[name])(
        vocab_size=c["vocab"], hidden_size=c["width"], intermediate_size=c["ff"], num_hidden_layers=c["layers"], num_attention_heads=c["heads"],
        num_key_value_heads=c["kv"], head_dim=c["size"], rms_norm_eps=f32(c["eps"]), tie_word_embeddings=c["tied"], max_position_embeddings=64,
        rope_parameters={"rope_type": "default", "rope_theta": c["base"]}, attn_implementation="eager")
    m = getattr(transformers, {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}[name])(config).double().eval()

    def rows(n, t):
        """Row h*size + 2j + i of a GGUF of llama is row h*size + i*size/2 + j there."""
        if name != "llama" or not ("attn_q." in n or "attn_k." in n):
            return t
        return t.reshape(-1, c["size"] // 2, 2, *t.shape[1:]).transpose(1, 2).reshape(t.shape)

    theirs = dict(attn_norm="input_layernorm", attn_q="self_attn.q_proj", attn_k="self_attn.k_proj", attn_v="self_attn.v_proj", attn_output="self_attn.o_proj",
                  attn_q_norm="self_attn.q_norm", attn_k_norm="self_attn.k_norm", ffn_norm="post_attention_layernorm", ffn_gate="mlp.gate_proj",
                  ffn_up="mlp.up_proj", ffn_down="mlp.down_proj")
    state = {}
    for n, t in w.items():
        if n + ".lora_a" in a:
            t = t + ALPHA / RANK * a[n + ".lora_b"] @ a[n + ".lora_a"]
        part = n.split(".")
        if part[0] == "blk":
            state[f"model.layers.{part[1]}.{theirs[part[2]]}.{part[3]}"] = rows(n, t)
        elif part[0] != "rope_freqs":
            state[{"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}[part[0]] + ".weight"] = t
    missing, unexpected = m.load_state_dict(state, strict=False)
    assert not unexpected and set(missing) <= ({"lm_head.weight"} if c["tied"] else set()), (missing, unexpected)
    half = c["size"] // 2
    freq = c["base"] ** (-torch.arange(half, dtype=F64) / half)
    m.model.rotary_emb.inv_freq = freq / w["rope_freqs.weight"] if c.get("freqs") else freq
    ids = [r.randrange(c["vocab"]) for _ in range(30)]
    single, to_float = torch.float32, torch.Tensor.float
    ours = logits(name, c, w, a, ids)
    with torch.no_grad():
        plain = m(torch.tensor([ids])).logits[0]
        try:
            torch.float32, torch.float, torch.Tensor.float = F64, F64, torch.Tensor.double
            raised = m(torch.tensor([ids])).logits[0]
        finally:
            torch.float32, torch.float, torch.Tensor.float = single, single, to_float
    print(f"{name}: logits up to {ours.abs().max():.2f}; largest difference from transformers {transformers.__version__}: {(raised - ours).abs().max():.2e}"
          f" ({(plain - ours).abs().max():.2e} with its norms, angles and softmax in float32)")


if __name__ == "__main__":
    for n, c in MODELS.items():
        check(n, c) if "--check" in sys.argv[1:] else golden(n, c)

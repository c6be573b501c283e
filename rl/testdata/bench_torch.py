#!/usr/bin/env python3
"""One trainer's step in PyTorch + PEFT, to be measured beside ours: `longhand bench train --torch bench_torch.py`.

    pip install torch transformers peft gguf accelerate
    python3 bench_torch.py --model base.gguf --prompts 8 --group 1 --prompt 1 --tokens 256 --steps 3 --threads 2

On the processor float32, the base dequantised; with --device cuda the base in BF16 and the adapter in float32 under autocast, as PEFT
has it. SDPA, LoRA of rank 16 on the seven matrices, AdamW. The loss is what TRL's GRPO trainer
computes for one update per batch: every completion has its own copy of the prompt, the head sees the completions' rows alone
(logits_to_keep), log-probs are the chosen logits less a log-sum-exp row by row, ratio = exp(logp - logp.detach()).
Prints one JSON line: tokens per second of each step, the peak of resident memory after the model was loaded (of the card's, with
--device cuda), the rate of its sgemm at the model's shapes (of a BF16 product of 8192 cubed).
"""
import argparse, json, os, time

p = argparse.ArgumentParser()
p.add_argument("--model")
shapes = {  # width, layers, heads, key/value heads, feed-forward, vocabulary
    "qwen2.5-0.5b": (896, 24, 14, 2, 4864, 151936), "qwen2.5-1.5b": (1536, 28, 12, 2, 8960, 151936), "qwen2.5-7b": (3584, 28, 28, 4, 18944, 152064),
}
p.add_argument("--shape", choices=list(shapes))
p.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
for name, value in [("prompts", 8), ("group", 1), ("prompt", 1), ("tokens", 256), ("steps", 3), ("threads", 2)]:
    p.add_argument("--" + name, type=int, default=value)
p.add_argument("--old", action="store_true", help="one more forward for the log-probs before the update, as TRL does where the sampler is another engine and its rollouts are weighted")
p.add_argument("--recompute", action="store_true", help="gradient checkpointing")
a = p.parse_args()
os.environ["OMP_NUM_THREADS"] = str(a.threads)

import torch, transformers, peft

if a.device == "cpu":
    torch.set_num_threads(a.threads)
dtype = torch.float32 if a.device == "cpu" else torch.bfloat16
torch.manual_seed(1)
if a.shape:
    width, layers, heads, kv_heads, ff, vocabulary = shapes[a.shape]
    config = transformers.Qwen2Config(vocab_size=vocabulary, hidden_size=width, intermediate_size=ff, num_hidden_layers=layers, num_attention_heads=heads,
                                      num_key_value_heads=kv_heads, max_position_embeddings=32768, rope_theta=1e6, tie_word_embeddings=True)
    config._attn_implementation = "sdpa"
    torch.set_default_dtype(dtype)
    with torch.device(a.device):
        model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    torch.set_default_dtype(torch.float32)
else:
    path = os.path.abspath(a.model)
    model = transformers.AutoModelForCausalLM.from_pretrained(os.path.dirname(path), gguf_file=os.path.basename(path), dtype=torch.float32, attn_implementation="sdpa")
if a.recompute:
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
model.config.use_cache = False
model = peft.get_peft_model(model, peft.LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]))
model.train()
optimizer = torch.optim.AdamW([q for q in model.parameters() if q.requires_grad], lr=1e-5, weight_decay=0.0)

n = a.prompts * a.group
vocabulary = model.config.vocab_size
prompts = torch.randint(0, vocabulary, (a.prompts, a.prompt), device=a.device).repeat_interleave(a.group, 0)
completions = torch.randint(0, vocabulary, (n, a.tokens), device=a.device)
ids = torch.cat([prompts, completions], 1)
advantages = torch.randn(n, device=a.device)


@torch.autocast("cuda", torch.bfloat16, enabled=a.device == "cuda")
def log_probs():
    logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), logits_to_keep=a.tokens + 1).logits[:, :-1].float()
    chosen = torch.gather(logits, -1, completions.unsqueeze(-1)).squeeze(-1)
    return chosen - torch.stack([torch.logsumexp(l, dim=-1) for l in logits])


def step():
    old = None
    if a.old:
        with torch.no_grad():
            old = log_probs()
    logp = log_probs()
    ratio = torch.exp(logp - (logp.detach() if old is None else old))
    clipped = torch.clamp(ratio, 0.8, 1.28)
    loss = -torch.min(ratio * advantages.unsqueeze(1), clipped * advantages.unsqueeze(1)).mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_([q for q in model.parameters() if q.requires_grad], 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def memory(key):
    for line in open("/proc/self/status"):
        if line.startswith(key + ":"):
            return int(line.split()[1]) >> 10


if a.device == "cuda":
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
try:
    with open("/proc/self/clear_refs", "w") as f:
        f.write("5")  # the peak begins anew
except OSError:
    pass
rates = []
for _ in range(a.steps):
    begin = time.perf_counter()
    step()
    if a.device == "cuda":
        torch.cuda.synchronize()
    rates.append(ids.numel() / (time.perf_counter() - begin))
versions = dict(tokens_per_second=rates, median=sorted(rates[2:] or rates)[len(rates[2:] or rates) // 2], torch=torch.__version__, peft=peft.__version__)
if a.device == "cuda":
    x = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    best = float("inf")
    for _ in range(6):
        torch.cuda.synchronize()
        begun = time.perf_counter()
        for _ in range(5):
            x @ x.T
        torch.cuda.synchronize()
        best = min(best, (time.perf_counter() - begun) / 5)
    print(json.dumps(dict(versions, peak_mib=torch.cuda.max_memory_reserved() >> 20, gemm_tflops=2 * 8192**3 / best / 1e12)))
    raise SystemExit
peak = memory("VmHWM")

c = model.config
kv = c.num_key_value_heads * (c.hidden_size // c.num_attention_heads)
flop = seconds = 0.0
with torch.no_grad():
    for out, width, count in [(c.hidden_size, c.hidden_size, 2), (kv, c.hidden_size, 2), (c.intermediate_size, c.hidden_size, 2), (c.hidden_size, c.intermediate_size, 1)]:
        x, w = torch.randn(2048, width), torch.randn(out, width)
        best = float("inf")
        for _ in range(5):
            begun = time.perf_counter()
            x @ w.T
            best = min(best, time.perf_counter() - begun)
        flop, seconds = flop + count * 2 * 2048 * out * width, seconds + count * best
print(json.dumps(dict(versions, peak_mib=peak, sgemm_gflops=flop / seconds / 1e9,
                      blas="MKL" if torch.backends.mkl.is_available() else "OpenBLAS")))

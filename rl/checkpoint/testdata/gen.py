#!/usr/bin/env python3
"""Makes the goldens of this folder with llama.cpp's own gguf package, and with its library.

    pip install gguf==0.19.0 numpy==2.4.6
    python3 gen.py                        # types.gguf, split-0000?-of-00003.gguf
    python3 gen.py path/to/libggml-base.so  # also rmse.json: the reference quantisers on gaussian numbers
"""
import ctypes, json, os, sys
import numpy as np
import gguf
from gguf.constants import GGMLQuantizationType as T, GGML_QUANT_SIZES

HERE = os.path.dirname(os.path.abspath(__file__))
# Where the halves of a block lie, so that random bytes do not make them infinite.
HALVES = {T.Q8_0: [0], T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q4_K: [0, 2], T.Q5_K: [0, 2],
          T.Q6_K: [208], T.IQ4_NL: [0], T.IQ4_XS: [0]}
TYPES = [T.F32, T.F16, T.BF16] + list(HALVES)
ROWS, COLS = 3, 512


def blocks(r, typ):
    """Random bytes with halves of every size: normal, subnormal, zero, negative."""
    size, width = GGML_QUANT_SIZES[typ]
    b = r.integers(0, 256, (ROWS * COLS // size, width), dtype=np.uint8)
    for n, at in enumerate(HALVES[typ]):
        d = (r.standard_normal(len(b)) * 0.01).astype(np.float16)
        d[n::7] = (r.standard_normal(len(d[n::7])) * 1e-6).astype(np.float16)
        d[n + 3] = 0
        b[:, at:at + 2] = d.view(np.uint8).reshape(-1, 2)
    return b.reshape(ROWS, -1)


def types():
    w = gguf.GGUFWriter(os.path.join(HERE, "types.gguf"), "llama")
    w.add_name("types")
    for kind, v in [("uint8", 200), ("int8", -100), ("uint16", 60000), ("int16", -30000), ("uint32", 4000000000), ("int32", -2000000000),
                    ("uint64", 2**63 + 1), ("int64", -2**62), ("float32", 0.1), ("float64", 0.1), ("bool", True)]:
        getattr(w, "add_" + kind)("test." + kind, v)
    w.add_array("test.texts", ["a", "", "Grüße"])
    w.add_array("test.integers", [1, -2, 3])
    w.add_array("test.floats", [0.5, -1.5])
    r = np.random.default_rng(7)
    for typ in TYPES:
        if typ in HALVES:
            data = blocks(r, typ)
        else:
            x = (r.standard_normal((ROWS, COLS)) * 10.0 ** r.integers(-8, 4, (ROWS, COLS))).astype(np.float32)
            data = gguf.quantize(x, typ)
        name = typ.name.lower()
        w.add_tensor(name, data, raw_dtype=typ)
        w.add_tensor(name + ".f32", gguf.dequantize(data, typ).reshape(ROWS, COLS))
    w.add_tensor("vector", np.arange(5, dtype=np.float32))
    w.add_tensor("cube", np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    finish(w)


def split():
    w = gguf.GGUFWriter(os.path.join(HERE, "split.gguf"), "llama", split_max_tensors=2)
    w.add_name("split")
    for i in range(5):
        w.add_tensor(f"t{i}", np.full((2, 4), i, dtype=np.float32))
    finish(w)


def finish(w):
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def rmse(library):
    """Error of llama.cpp's quantisers (no importance matrix) on numbers of standard deviation 1."""
    lib = ctypes.CDLL(library)
    lib.ggml_quantize_chunk.restype = ctypes.c_size_t
    lib.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
    lib.ggml_version.restype = ctypes.c_char_p
    rows, cols = 1024, 1024
    x = np.random.default_rng(3).standard_normal((rows, cols)).astype(np.float32)
    out = {}
    for typ in HALVES:
        size, width = GGML_QUANT_SIZES[typ]
        q = np.zeros((rows, cols // size * width), dtype=np.uint8)
        lib.ggml_quantize_chunk(typ.value, x.ctypes.data, q.ctypes.data, 0, rows, cols, None)
        d = gguf.dequantize(q, typ).reshape(rows, cols).astype(np.float64) - x
        out[typ.name] = round(float(np.sqrt(np.mean(d * d))), 6)
    with open(os.path.join(HERE, "rmse.json"), "w") as f:
        json.dump({"ggml": lib.ggml_version().decode(), "numbers": rows * cols, "rmse": out}, f, indent=1)
        f.write("\n")


types()
split()
if len(sys.argv) > 1:
    rmse(sys.argv[1])
with open(os.path.join(HERE, "versions.json"), "w") as f:
    import importlib.metadata as m
    json.dump({"python": sys.version.split()[0], "gguf": m.version("gguf"), "numpy": np.__version__}, f)
    f.write("\n")

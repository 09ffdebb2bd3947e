"""As much of GGUF as tests need: the shapes of a model's matrices, and LoRA adapters with
random values that libllama loads."""

import mmap
import random
import shutil
import struct

MAGIC, VERSION, ALIGN = b"GGUF", 3, 32
SIZES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
U32, F32_VALUE, STRING, ARRAY = 4, 6, 8, 9
F32 = 0
ADAPTED = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, kind):
        code = "<" + SIZES[kind]
        self.at += struct.calcsize(code)
        return struct.unpack_from(code, self.data, self.at - struct.calcsize(code))[0]

    def string(self):
        n = self.number(10)
        self.at += n
        return self.data[self.at - n:self.at].decode(errors="replace")

    def value(self, kind):
        """None for an array: a vocabulary is long, and nobody asks for it."""
        if kind == STRING:
            return self.string()
        if kind != ARRAY:
            return self.number(kind)
        of, n = self.number(U32), self.number(10)
        if of == STRING:
            for _ in range(n):
                self.at += 8 + struct.unpack_from("<Q", self.data, self.at)[0]
        else:
            self.at += n * struct.calcsize("<" + SIZES[of])
        return None


def read(path):
    """(metadata, {tensor: its dimensions, columns first})"""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        r = Reader(data)
        r.at = len(MAGIC)
        assert data[:r.at] == MAGIC
        assert r.number(U32) == VERSION
        n_tensors, n_values = r.number(10), r.number(10)
        values = {}
        for _ in range(n_values):
            key = r.string()
            values[key] = r.value(r.number(U32))
        tensors = {}
        for _ in range(n_tensors):
            name = r.string()
            tensors[name] = tuple(r.number(10) for _ in range(r.number(U32)))
            r.number(U32), r.number(10)
        return values, tensors


def string(text):
    return struct.pack("<Q", len(text.encode())) + text.encode()


def write(path, values, tensors):
    """`tensors`: {name: (dimensions, bytes of float32)}"""
    head, data = b"", b""
    for key, value in values.items():
        head += string(key)
        head += struct.pack("<I", STRING) + string(value) if isinstance(value, str) else \
            struct.pack("<If", F32_VALUE, value)
    for name, (dims, body) in tensors.items():
        data += bytes(-len(data) % ALIGN)
        head += string(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, F32, len(data))
        data += body
    head = MAGIC + struct.pack("<IQQ", VERSION, len(tensors), len(values)) + head
    with open(path, "wb") as file:
        file.write(head + bytes(-len(head) % ALIGN) + data)


def matrices(tensors):
    """Those of a model that are adapted: {name: (columns, rows)}."""
    return {name: dims for name, dims in tensors.items()
            if len(dims) == 2 and name.startswith("blk.") and name.split(".")[2] in ADAPTED}


def floats(rng, n, size):
    values = [struct.pack("<f", size * (i - 127.5) / 127.5) for i in range(256)]
    return b"".join(map(values.__getitem__, rng.randbytes(n)))


def write_lora(path, base, seed, rank=2, size=0.06, only=lambda name: True):
    """An adapter for `base` with random values, always the same for a seed."""
    rng = random.Random(seed)
    values, whole = read(base)
    tensors = {}
    for name, (columns, rows) in matrices(whole).items():
        if only(name):
            tensors[f"{name}.lora_a"] = (columns, rank), floats(rng, columns * rank, size)
            tensors[f"{name}.lora_b"] = (rank, rows), floats(rng, rank * rows, size)
    write(path, {"general.type": "adapter", "general.architecture": values["general.architecture"],
                 "adapter.type": "lora", "adapter.lora.alpha": 32.0}, tensors)


def with_mrope(path, base):
    """A qwen2 model as one of qwen2vl's, which differs in nothing but M-RoPE. While all that a model reads is text, its
    positions along the three axes are the same, and so is what it computes."""
    with open(base, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        r = Reader(data)
        r.at = 8
        n_tensors, n_values = r.number(10), r.number(10)
        head, facts = b"", {}
        for _ in range(n_values):
            key, kind, at = r.string(), r.number(U32), r.at
            facts[key] = r.value(kind)
            raw = string("qwen2vl") if key == "general.architecture" else data[at:r.at]
            head += string(key.replace("qwen2.", "qwen2vl.")) + struct.pack("<I", kind) + raw
        assert facts["general.architecture"] == "qwen2" and "general.alignment" not in facts
        pairs = facts["qwen2.embedding_length"] // facts["qwen2.attention.head_count"] // 2
        sections = (pairs // 4, pairs * 3 // 8, pairs * 3 // 8, 0)
        assert sum(sections) == pairs
        head += string("qwen2vl.rope.dimension_sections") + struct.pack("<IIQ4i", ARRAY, 5, 4, *sections)
        at = r.at
        for _ in range(n_tensors):
            r.string()
            n = r.number(U32)
            r.at += 8 * n + 12
        head = MAGIC + struct.pack("<IQQ", VERSION, n_tensors, n_values + 1) + head + data[at:r.at]
        file.seek(r.at + -r.at % ALIGN)
        with open(path, "wb") as out:
            out.write(head + bytes(-len(head) % ALIGN))
            shutil.copyfileobj(file, out, 1 << 20)
    return path

"""A tiny projector with random weights, so that a model can be shown pictures, or sounds: what it sees means nothing, but
another picture is something else. GGUF version 3, as libmtmd reads it."""

import random
import struct

WIDTH, HEADS, WIDE, BLOCKS, PATCH, MELS = 32, 2, 64, 2, 14, 80
STRING, ARRAY, U32, F32, BOOL = 8, 9, 4, 6, 7


def text(s):
    return struct.pack("<Q", len(s)) + s.encode()


def value(kind, v):
    if kind == ARRAY:
        return struct.pack("<IQ", F32, len(v)) + struct.pack(f"<{len(v)}f", *v)
    return text(v) if kind == STRING else struct.pack({U32: "<I", F32: "<f", BOOL: "<?"}[kind], v)


def block(name, biases):
    """A transformer's."""
    for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
        yield f"{name}.{part}.weight", (WIDTH, WIDTH)
        if part in biases:
            yield f"{name}.{part}.bias", (WIDTH,)
    for part in ("ln1", "ln2"):
        yield f"{name}.{part}.weight", (WIDTH,)
        yield f"{name}.{part}.bias", (WIDTH,)
    yield f"{name}.ffn_up.weight", (WIDTH, WIDE)
    yield f"{name}.ffn_up.bias", (WIDE,)
    yield f"{name}.ffn_down.weight", (WIDE, WIDTH)
    yield f"{name}.ffn_down.bias", (WIDTH,)


def sound_tensors(model_width):
    """Whisper's encoder, and a matrix. Kernels of convolutions are of 16 bits."""
    yield "a.conv1d.1.weight", (3, MELS, WIDTH)
    yield "a.conv1d.1.bias", (1, WIDTH)
    yield "a.conv1d.2.weight", (3, WIDTH, WIDTH)
    yield "a.conv1d.2.bias", (1, WIDTH)
    yield "a.position_embd.weight", (WIDTH, 1500)
    for i in range(BLOCKS):
        yield from block(f"a.blk.{i}", ("attn_q", "attn_v", "attn_out"))
    yield "a.post_ln.weight", (WIDTH,)
    yield "a.post_ln.bias", (WIDTH,)
    yield "mm.a.fc.weight", (WIDTH, model_width)
    yield "mm.a.fc.bias", (model_width,)


def tensors(kind, model_width, image_size):
    """Names and shapes, the fastest dimension first."""
    if kind == "qwen2a":
        yield from sound_tensors(model_width)
        return
    yield "v.patch_embd.weight", (PATCH, PATCH, 3, WIDTH)
    if kind == "qwen2vl_merger":
        yield "v.patch_embd.weight.1", (PATCH, PATCH, 3, WIDTH)
    else:
        yield "v.position_embd.weight", (WIDTH, (image_size // PATCH) ** 2)
    for i in range(BLOCKS):
        yield from block(f"v.blk.{i}", ("attn_q", "attn_k", "attn_v", "attn_out"))
    yield "v.post_ln.weight", (WIDTH,)
    yield "v.post_ln.bias", (WIDTH,)
    first, entry = {"lfm2": (1, WIDTH * 4), "qwen2vl_merger": (0, WIDTH * 4)}.get(kind, (0, WIDTH))
    hidden = entry if kind == "qwen2vl_merger" else WIDE
    yield f"mm.{first}.weight", (entry, hidden)
    yield f"mm.{first}.bias", (hidden,)
    yield "mm.2.weight", (hidden, model_width)
    yield "mm.2.bias", (model_width,)


def make(path, kind="mlp", model_width=576, image_size=56):
    """kind: mlp (LLaVA's: always the same number of rows), lfm2 (64 to 256 rows, by the picture's size), qwen2vl_merger
    (8 to 4096; its model has positions in lines and columns, see gguf_files.with_mrope); qwen2a hears: 750 rows for each
    half minute that has begun."""
    draw = random.Random(1)
    facts = {"general.architecture": (STRING, "clip"), "clip.has_vision_encoder": (BOOL, True),
             "clip.projector_type": (STRING, kind), "clip.use_gelu": (BOOL, True),
             "clip.vision.image_size": (U32, image_size), "clip.vision.patch_size": (U32, PATCH),
             "clip.vision.embedding_length": (U32, WIDTH), "clip.vision.feed_forward_length": (U32, WIDE),
             "clip.vision.block_count": (U32, BLOCKS), "clip.vision.projection_dim": (U32, model_width),
             "clip.vision.attention.head_count": (U32, HEADS),
             "clip.vision.attention.layer_norm_epsilon": (F32, 1e-5),
             "clip.vision.image_mean": (ARRAY, [0.5] * 3), "clip.vision.image_std": (ARRAY, [0.5] * 3)}
    if kind == "qwen2a":
        facts = {name.replace("vision", "audio"): v for name, v in facts.items() if "image" not in name and "patch" not in name}
        facts["clip.audio.num_mel_bins"] = (U32, MELS)
    if kind == "lfm2":
        facts["clip.vision.projector.scale_factor"] = (U32, 2)
    head, index, data = b"", b"", bytearray()
    for name, (sort, v) in facts.items():
        head += text(name) + struct.pack("<I", sort) + value(sort, v)
    shapes = list(tensors(kind, model_width, image_size))
    for name, shape in shapes:
        n = 1
        for d in shape:
            n *= d
        half = ".conv1d." in name and name.endswith("weight")
        index += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<IQ", half, len(data))
        data += struct.pack(f"<{n}{'e' if half else 'f'}", *(draw.gauss(0, 0.15) for _ in range(n)))
        data += bytes(-len(data) % 32)
    start = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(facts)) + head + index
    path.write_bytes(start + bytes(-len(start) % 32) + data)
    return path

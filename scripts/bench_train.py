#!/usr/bin/env python3
"""Trains the same adapter twice, with Pollux and with PyTorch + PEFT: losses, speed, memory.

    make bench-train
    scripts/bench_train.py --pollux build/pollux [--data FILE.jsonl] [--rounds 1] [--model GGUF] [--floats]

Same base (PEFT's is the GGUF's weights, dequantised to float32), same examples in the same order,
same first numbers of the adapter, same hyperparameters and schedule. PyTorch, PEFT and transformers
are installed by name into a folder of the cache, once. The two take turns; each runs in a process of
its own whose peak memory the kernel tells. Tokens count as often as they are in the examples: what
Pollux computes once for all examples that begin alike, and PEFT for each, is a part of the result.

Two sets, because one cannot show both things:

increment   the tuning guide's fifteen pairs with the API's defaults. They are learned by heart: from
            the third epoch on the mean loss is a few hundredths, a sum of many tokens that are right
            and one or two that are not yet, and which ones those are hangs on the last bits of what
            came before. Percent of such a loss mean nothing; they are printed and not judged.
lots        24 examples of words drawn at random, with a rate of 0.0003: what is to be said cannot be
            known from what is asked, so the loss of every epoch stays above 2 nats (the entropy of a
            draw is 3.5), and a difference of a percent is one of the arithmetic. Judged: every epoch
            within 3 %. Only the template's words are common to all, so speed is that of plain work.

--floats trains once more with Pollux on a GGUF of float32 that has the very numbers PEFT has. Pollux
rounds activations to 8 bits where weights are quantised; with floats nothing is rounded, and what is
left of the difference is not the rounding's.
"""
import argparse
import json
import math
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pollux"
PACKAGES = ("torch", "transformers", "peft", "gguf", "sentencepiece", "protobuf", "accelerate")
RANK, EPOCHS, BATCH, SEED = 8, 5, 4, 1
JUDGED = 0.05  # nats: the mean loss of an epoch from which on percent mean something
MASK = (1 << 64) - 1

INCREMENT = [("1", "2"), ("3", "4"), ("-3", "-2"), ("twenty two", "twenty three"),
             ("two hundred", "two hundred one"), ("ninety nine", "one hundred"), ("8", "9"),
             ("-98", "-97"), ("1,000", "1,001"), ("10,100,000", "10,100,001"),
             ("thirteen", "fourteen"), ("eighty", "eighty one"), ("one", "two"), ("three", "four"),
             ("seven", "eight")]


def increment(path):
    path.write_text("".join(json.dumps({"textInput": i, "output": o}) + "\n" for i, o in INCREMENT))


def lots(path):
    """40 words in, 12 out, of 32 that there are, all drawn at random."""
    dice = random.Random(1)
    words = ("river stone lantern engine music forest silver winter harbour letter garden mirror candle "
             "bridge copper window meadow thunder basket feather anchor marble orchard velvet compass "
             "ladder pepper saddle tunnel violin walnut zebra").split()
    lines = []
    for _ in range(24):
        lines.append({"textInput": " ".join(dice.choice(words) for _ in range(40)),
                      "output": " ".join(dice.choice(words) for _ in range(12))})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


# ---- Pollux ----

def train_pollux(options, data, rate, base):
    with tempfile.TemporaryDirectory() as folder:
        return run_pollux(options, data, rate, base, Path(folder))


def run_pollux(options, data, rate, base, folder):
    (folder / "examples.jsonl").write_bytes(data.read_bytes())
    (folder / "job.json").write_text(json.dumps({
        "base": str(base), "examples": "examples.jsonl", "epochCount": EPOCHS,
        "batchSize": BATCH, "learningRate": rate, "rank": RANK, "seed": SEED}))
    begun = time.monotonic()
    steps, started = [], begun
    with subprocess.Popen([options.pollux, "train-job", folder], stdout=subprocess.PIPE,
                          text=True) as job:
        for line in job.stdout:
            event = json.loads(line)
            if event["event"] == "start":
                started = time.monotonic()
            elif event["event"] == "step":
                steps.append(event)
            elif event["event"] == "error":
                sys.exit(f"bench-train: {event}")
        stepped = time.monotonic()
        _, _, usage = os.wait4(job.pid, 0)
        job.returncode = 0
    return {"losses": [s["meanLoss"] for s in steps], "epochs": [s["epoch"] for s in steps],
            "tokens": sum(s["tokens"] for s in steps), "train_s": stepped - started,
            "whole_s": time.monotonic() - begun, "peak_mb": usage.ru_maxrss / 1024}


# ---- PyTorch + PEFT, in a child that has them ----

class Dice:
    """random.h, in Python."""

    def __init__(self, seed, which):
        first, _ = self.mixed((seed + 0x9E3779B97F4A7C15) & MASK)
        state = (first + which * 0xD1342543DE82EF95) & MASK
        self.state, _ = self.mixed((state + 0x9E3779B97F4A7C15) & MASK)

    @staticmethod
    def mixed(state):
        z = state
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
        return z ^ z >> 31, state

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        return self.mixed(self.state)[0]

    def uniform(self, n, reach):
        import numpy
        with numpy.errstate(over="ignore"):
            steps = numpy.arange(1, n + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
            z = numpy.uint64(self.state) + steps
            z = (z ^ z >> numpy.uint64(30)) * numpy.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ z >> numpy.uint64(27)) * numpy.uint64(0x94D049BB133111EB)
            z = z ^ z >> numpy.uint64(31)
        unit = (z >> numpy.uint64(11)).astype(numpy.float64) * 2.0 ** -53
        return (numpy.float32(reach) * (2 * unit - 1).astype(numpy.float32)).astype(numpy.float32)


def order_of(n, epoch):
    dice, order = Dice(SEED ^ 0x6F72646572, epoch), list(range(n))
    for i in range(n - 1, 0, -1):
        k = dice.next() % (i + 1)
        order[i], order[k] = order[k], order[i]
    return order


LINEARS = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
           "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")


def same_first_numbers(model, torch):
    n_layers = model.config.num_hidden_layers
    found = dict(model.named_modules())
    for layer in range(n_layers):
        for which, name in enumerate(LINEARS):
            at = next(m for key, m in found.items() if key.endswith(f"layers.{layer}.{name}"))
            a = at.lora_A["default"].weight
            dice = Dice(SEED, layer * len(LINEARS) + which)
            with torch.no_grad():
                a.copy_(torch.from_numpy(dice.uniform(a.numel(), 1 / math.sqrt(a.shape[1]))
                                         .reshape(a.shape)))


def rate_at(rate, done, total):
    warm = min(total // 10, 100)
    if done < warm:
        return rate * (done + 1) / (warm + 1)
    way = (done - warm) / (total - warm) if total > warm + 1 else 0
    return rate * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * way)))


def train_peft(gguf, data, rate):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer
    begun = time.monotonic()
    torch.set_num_threads(os.cpu_count())
    folder, name = str(Path(gguf).parent), Path(gguf).name
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, torch_dtype=torch.float32)
    model = get_peft_model(model, LoraConfig(
        r=RANK, lora_alpha=2 * RANK, lora_dropout=0, target_modules=[n.split(".")[1] for n in LINEARS]))
    same_first_numbers(model, torch)
    examples = []
    for line in Path(data).read_text().splitlines():
        said = json.loads(line)
        prompt = tokenizer.apply_chat_template([{"role": "user", "content": said["textInput"]}],
                                               add_generation_prompt=True, tokenize=False)
        prompt = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        answer = tokenizer(said["output"], add_special_tokens=False)["input_ids"]
        examples.append((prompt, answer + [tokenizer.eos_token_id]))
    stream = [examples[i] for e in range(EPOCHS) for i in order_of(len(examples), e)]
    total = -(-len(stream) // BATCH)
    weights = [p for p in model.parameters() if p.requires_grad]
    adam = torch.optim.AdamW(weights, lr=rate, weight_decay=0.01)
    losses, tokens, started = [], 0, time.monotonic()
    for step in range(total):
        batch = stream[step * BATCH:(step + 1) * BATCH]
        longest = max(len(p) + len(a) for p, a in batch)
        ids = torch.full((len(batch), longest), tokenizer.eos_token_id)
        labels = torch.full((len(batch), longest), -100)
        mask = torch.zeros((len(batch), longest), dtype=torch.long)
        for i, (p, a) in enumerate(batch):
            ids[i, :len(p) + len(a)] = torch.tensor(p + a)
            labels[i, len(p):len(p) + len(a)] = torch.tensor(a)
            mask[i, :len(p) + len(a)] = 1
            tokens += len(p) + len(a) - 1
        for group in adam.param_groups:
            group["lr"] = rate_at(rate, step, total)
        logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        adam.step()
        losses.append(loss.item())
    ended = time.monotonic()
    print(json.dumps({"losses": losses, "tokens": tokens, "train_s": ended - started,
                      "whole_s": ended - begun,
                      "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def peft_python():
    folder = CACHE / "bench-train"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        print("bench-train: installing", *PACKAGES, file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        (folder / "ready").touch()
    return python


def run_peft(options, data, rate):
    done = subprocess.run([peft_python(), __file__, "--peft", options.model, "--data", data, "--rate", str(rate)],
                          check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def write_floats(gguf, path):
    """The same GGUF with every tensor in float32. In the child that has gguf."""
    import gguf as files
    reader = files.GGUFReader(gguf)
    arch = reader.fields["general.architecture"].contents()
    writer = files.GGUFWriter(path, arch)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        kind = field.types[0]
        writer.add_key_value(name, field.contents(), kind, field.types[-1] if len(field.types) > 1 else None)
    for tensor in reader.tensors:
        values = files.quants.dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, values.astype("float32"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


# ---- the tables ----

def by_epoch(run, epochs):
    return [sum(run["losses"][i] for i in range(len(epochs)) if epochs[i] == e) / epochs.count(e)
            for e in sorted(set(epochs))]


def row(*cells):
    print("|", " | ".join(str(c) for c in cells), "|", flush=True)


def compare(options, name, data, rate, floats):
    """Speed of every round; losses are the same in each, for both."""
    speeds, last = [], {}
    for _ in range(options.rounds):
        ours, theirs = train_pollux(options, data, rate, options.model), run_peft(options, data, rate)
        if ours["tokens"] != theirs["tokens"]:
            sys.exit(f"bench-train: tokens differ: {ours['tokens']} and {theirs['tokens']}")
        speeds.append((name, ours, theirs))
        last = {"Pollux": ours, "PEFT": theirs}
    if floats:
        last["Pollux, floats"] = train_pollux(options, data, rate, floats)
    epochs = ours["epochs"]
    return speeds, {who: by_epoch(run, epochs) for who, run in last.items()}


def print_speeds(rows):
    print("\n| set | tokens | steps | tokens/s, Pollux | PEFT | times as many | peak MB, Pollux | PEFT | part of it "
          "| seconds from start to end, Pollux | PEFT |")
    row(*["---"] * 11)
    for name, ours, theirs in rows:
        a, b = (run["tokens"] / run["train_s"] for run in (ours, theirs))
        row(name, ours["tokens"], len(ours["losses"]), f"{a:.0f}", f"{b:.0f}", f"{a / b:.2f}", f"{ours['peak_mb']:.0f}",
            f"{theirs['peak_mb']:.0f}", f"{ours['peak_mb'] / theirs['peak_mb']:.2f}", f"{ours['whole_s']:.1f}",
            f"{theirs['whole_s']:.1f}")


def print_losses(tables):
    print("\n| set | mean loss by epoch |", " | ".join(str(e + 1) for e in range(EPOCHS)), "|")
    row(*["---"] * (EPOCHS + 2))
    worst = 0
    for name, losses in tables.items():
        theirs = losses["PEFT"]
        for who, values in losses.items():
            row(name, who, *(f"{x:.3f}" for x in values))
            if who == "PEFT":
                continue
            parts = [(x / y - 1, name != "increment" and min(x, y) >= JUDGED) for x, y in zip(values, theirs)]
            row(name, f"{who} against PEFT", *(f"{100 * p:+.1f} %" + ("" if judged else " (not judged)")
                                               for p, judged in parts))
            if who == "Pollux":
                worst = max([worst, *(abs(p) for p, judged in parts if judged)])
    print(f"\nThe largest difference of an epoch that is judged: {100 * worst:.1f} %"
          f" ({'within' if worst <= 0.03 else 'NOT within'} the 3 % that are asked for).")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pollux", default="build/pollux")
    parser.add_argument("--model", default=CACHE / "models/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf")
    parser.add_argument("--data", help="a set of your own instead of the two")
    parser.add_argument("--rate", type=float, default=0.0003, help="of that set")
    parser.add_argument("--set", choices=("increment", "lots"), help="one of the two")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--floats", action="store_true", help="and Pollux on float32 weights")
    parser.add_argument("--peft", help=argparse.SUPPRESS)
    parser.add_argument("--write-floats", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peft:
        return train_peft(options.peft, options.data, options.rate)
    if options.write_floats:
        return write_floats(options.model, options.write_floats)
    with tempfile.TemporaryDirectory() as folder:
        sets = [("increment", increment, 0.001), ("lots", lots, 0.0003)]
        sets = [s for s in sets if options.set in (None, s[0])]
        if options.data:
            data = Path(options.data).read_bytes()
            sets = [(Path(options.data).name, lambda path: path.write_bytes(data), options.rate)]
        floats = Path(folder) / "floats.gguf" if options.floats else None
        if floats:
            subprocess.run([peft_python(), __file__, "--model", options.model, "--write-floats", floats], check=True)
        speeds, losses = [], {}
        for name, make, rate in sets:
            path = Path(folder) / f"{name}.jsonl"
            make(path)
            more, losses[name] = compare(options, name, path, rate, floats)
            speeds += more
        print(f"Training {Path(options.model).name}: LoRA of rank {RANK}, {EPOCHS} epochs in batches of {BATCH}.")
        print_speeds(speeds)
        print_losses(losses)


if __name__ == "__main__":
    main()

// The list of extra buffer types is not in ggml's public headers: the pinned package has
// them among its sources. A libllama of the owner's (LLAMA_PREFIX) may come without; then
// its own products serve. The classes of that interface are C++, and so is this file,
// alone.
#include "kernel/plug.h"
#if __has_include(<ggml-cpu/traits.h>)
extern "C" {
#include "kernel/attend.h"
#include "kernel/panel.h"
}
#include "kernel/kept.h"
#include <algorithm>
#include <cstring>
#include <functional>
#include <ggml-cpu.h>
#include <ggml-cpu/traits.h>
#include <sys/mman.h>
#include <thread>
#include <vector>

namespace
{

ggml_backend_buffer_type_t panels();

const panel_kind *kind_of(const ggml_tensor *weights)
{
    if (ggml_n_dims(weights) != 2 || !ggml_is_contiguous(weights))
        return nullptr;
    return panel_kind_for(weights->type, weights->ne[1], weights->ne[0]);
}

bool is_ours(const ggml_tensor *op)
{
    return op->op == GGML_OP_MUL_MAT && op->src[0]->buffer &&
           op->src[0]->buffer->buft == panels() && kind_of(op->src[0]);
}

// ---- the product ----

const float *row_of(const ggml_tensor *t, int64_t i)
{
    int64_t i1 = i % t->ne[1], i2 = i / t->ne[1] % t->ne[2], i3 = i / t->ne[1] / t->ne[2];
    return reinterpret_cast<const float *>(static_cast<const char *>(t->data) +
                                           i1 * t->nb[1] + i2 * t->nb[2] + i3 * t->nb[3]);
}

// Run i of the panels: each thread's first is long, since a run begins with a wait for
// the memory; the rest is cut fine, so that the threads end together though one of them
// may be slowed by a neighbour on the machine.
struct run {
    int64_t begin, end;
};

run run_of(int64_t i, int64_t n_panels, int64_t n_threads)
{
    const int64_t first = n_panels * 3 / 4 / n_threads, rest = n_threads * first,
                  part = std::max<int64_t>(1, n_panels / (n_threads * 32));
    if (i < n_threads)
        return {i * first, (i + 1) * first};
    const int64_t begin = rest + (i - n_threads) * part;
    return {begin, std::min(begin + part, n_panels)};
}

class product final : public ggml::cpu::tensor_traits
{
    bool work_size(int, const ggml_tensor *op, size_t &size) override
    {
        size = panel_acts_size(op->src[1]->ne[0]) * ggml_nrows(op->src[1]) + 64;
        return true;
    }

    bool compute_forward(ggml_compute_params *params, ggml_tensor *op) override
    {
        const ggml_tensor *weights = op->src[0], *values = op->src[1];
        const panel_kind *kind = kind_of(weights);
        const int64_t n_cols = weights->ne[0], n = ggml_nrows(values),
                      n_panels = weights->ne[1] / PANEL_ROWS;
        const size_t act_size = panel_acts_size(n_cols),
                     one = panel_size(kind, PANEL_ROWS, n_cols);
        char *acts = reinterpret_cast<char *>(
            (reinterpret_cast<uintptr_t>(params->wdata) + 63) & ~uintptr_t(63));
        for (int64_t i = params->ith; i < n; i += params->nth)
            panel_quantize(kind, row_of(values, i), n_cols, acts + i * act_size);
        if (params->ith == 0)
            ggml_threadpool_chunk_set(params->threadpool, 0);
        ggml_barrier(params->threadpool);
        for (;;) {
            const run r = run_of(ggml_threadpool_chunk_add(params->threadpool, 1),
                                 n_panels, params->nth);
            if (r.begin >= n_panels)
                return true;
            panel_product(kind, static_cast<char *>(weights->data) + r.begin * one,
                          int(r.end - r.begin), n_cols, acts, int(n),
                          static_cast<float *>(op->data) + r.begin * PANEL_ROWS,
                          size_t(weights->ne[1]));
        }
    }
};

// ---- attention ----

// What attend.h knows: no biases by position (ALiBi), capped scores or sinks, and halves
// of floats for keys and values.
bool is_attention(const ggml_tensor *op)
{
    if (op->op != GGML_OP_FLASH_ATTN_EXT || !attend_usable())
        return false;
    const ggml_tensor *q = op->src[0], *k = op->src[1], *v = op->src[2],
                      *mask = op->src[3], *sinks = op->src[4];
    float bias, cap;
    memcpy(&bias, op->op_params + 1, sizeof(bias));
    memcpy(&cap, op->op_params + 2, sizeof(cap));
    auto halves = [](const ggml_tensor *t) {
        return t->type == GGML_TYPE_F16 && t->nb[0] == sizeof(ggml_fp16_t);
    };
    return q->type == GGML_TYPE_F32 && q->nb[0] == sizeof(float) && halves(k) &&
           halves(v) && (!mask || (halves(mask) && mask->ne[2] == 1)) && !sinks &&
           std::equal_to<float>()(bias, 0) && std::equal_to<float>()(cap, 0) &&
           k->ne[0] % ATTEND_LANES == 0 && v->ne[0] % ATTEND_LANES == 0 &&
           k->ne[2] == v->ne[2] && k->ne[3] == v->ne[3] && q->ne[2] % k->ne[2] == 0 &&
           q->ne[3] % k->ne[3] == 0;
}

// One operation: for each sequence (`stream`) and head of keys, blocks of rows.
struct attention {
    const ggml_tensor *op, *q = op->src[0], *k = op->src[1], *v = op->src[2];
    const int64_t n_rows = q->ne[1] * (q->ne[2] / k->ne[2]),
                  n_blocks = (n_rows + ATTEND_ROWS - 1) / ATTEND_ROWS,
                  n_parts = (k->ne[1] + ATTEND_PART - 1) / ATTEND_PART,
                  n_units = q->ne[3] * k->ne[2] * n_blocks;
    const size_t room = attend_room_size(int(k->ne[0])),
                 sums = attend_sums_size(int(v->ne[0])), own = room + 2 * sums;

    explicit attention(const ggml_tensor *attends) : op(attends)
    {
    }

    // Whether each thread takes parts of a block's keys, for there are few blocks. The
    // results are the same.
    bool is_split(int n_threads) const
    {
        return n_threads > 1 && n_parts > 1 && n_units < 2 * n_threads;
    }

    // A room and sums for each thread; the sums of all parts if they are split.
    size_t size(int n_threads) const
    {
        return 64 + size_t(n_threads) * own +
               (is_split(n_threads) ? size_t(n_units * n_parts) * sums : 0);
    }

    struct attend head(int64_t unit) const
    {
        const int64_t i2 = unit / n_blocks % k->ne[2], i3 = unit / n_blocks / k->ne[2],
                      n_heads = q->ne[2] / k->ne[2], k3 = i3 / (q->ne[3] / k->ne[3]);
        const ggml_tensor *mask = op->src[3];
        auto at = [](const ggml_tensor *t, int64_t head, int64_t stream) {
            return static_cast<char *>(t->data) + head * t->nb[2] + stream * t->nb[3];
        };
        struct attend a = {};
        a.n_tokens = int(q->ne[1]);
        a.n_heads = int(n_heads);
        a.n_keys = int(k->ne[1]);
        a.k_width = int(k->ne[0]);
        a.v_width = int(v->ne[0]);
        memcpy(&a.scale, op->op_params, sizeof(a.scale));
        a.q = at(q, i2 * n_heads, i3), a.q_token = q->nb[1], a.q_head = q->nb[2];
        a.k = at(k, i2, k3), a.k_key = k->nb[1];
        a.v = at(v, i2, k3), a.v_key = v->nb[1];
        if (mask)
            a.mask = at(mask, 0, i3 % mask->ne[3]), a.mask_token = mask->nb[1];
        a.out = at(op, 0, i3) + i2 * n_heads * op->nb[1];
        a.out_token = op->nb[2], a.out_head = op->nb[1];
        return a;
    }

    int row(int64_t unit) const
    {
        return int(unit % n_blocks) * ATTEND_ROWS;
    }

    int rows(int64_t unit) const
    {
        return std::min(int(n_rows) - row(unit), int(ATTEND_ROWS));
    }

    void whole(int64_t unit, char *work) const
    {
        const struct attend a = head(unit);
        char *total = work + room, *more = total + sums;
        attend_clear(total, a.v_width);
        for (int part = 0; part < n_parts; part++)
            if (attend_part(&a, row(unit), rows(unit), part, work, more))
                attend_add(total, more, rows(unit), a.v_width);
        attend_put(&a, row(unit), rows(unit), total);
    }

    void part(int64_t i, char *work, char *parts) const
    {
        const int64_t unit = i / n_parts;
        const struct attend a = head(unit);
        char *mine = parts + i * sums;
        if (!attend_part(&a, row(unit), rows(unit), int(i % n_parts), work, mine))
            attend_clear(mine, a.v_width);
    }

    void together(int64_t unit, char *work, const char *parts) const
    {
        const struct attend a = head(unit);
        char *total = work + room;
        attend_clear(total, a.v_width);
        for (int64_t part = 0; part < n_parts; part++)
            attend_add(total, parts + (unit * n_parts + part) * sums, rows(unit),
                       a.v_width);
        attend_put(&a, row(unit), rows(unit), total);
    }
};

class attending final : public ggml::cpu::tensor_traits
{
    bool work_size(int n_threads, const ggml_tensor *op, size_t &size) override
    {
        size = attention(op).size(n_threads);
        return true;
    }

    bool compute_forward(ggml_compute_params *params, ggml_tensor *op) override
    {
        const attention a(op);
        const bool split = a.is_split(params->nth);
        const int64_t n = split ? a.n_units * a.n_parts : a.n_units;
        char *begin = reinterpret_cast<char *>(
                 (reinterpret_cast<uintptr_t>(params->wdata) + 63) & ~uintptr_t(63)),
             *work = begin + params->ith * a.own, *parts = begin + params->nth * a.own;
        if (params->ith == 0)
            ggml_threadpool_chunk_set(params->threadpool, 0);
        ggml_barrier(params->threadpool);
        // One by one: with a causal mask the last rows cost most.
        for (int64_t i; (i = ggml_threadpool_chunk_add(params->threadpool, 1)) < n;)
            split ? a.part(i, work, parts) : a.whole(i, work);
        if (!split)
            return true;
        ggml_barrier(params->threadpool);
        for (int64_t unit = params->ith; unit < a.n_units; unit += params->nth)
            a.together(unit, work, parts);
        return true;
    }
};

class interface final : public ggml::cpu::extra_buffer_type
{
    bool supports_op(ggml_backend_dev_t, const ggml_tensor *op) override
    {
        const ggml_tensor *values = op->src[1];
        return is_ours(op) && values->type == GGML_TYPE_F32 &&
               values->nb[0] == sizeof(float) &&
               (!values->buffer || ggml_backend_buft_is_host(values->buffer->buft));
    }

    ggml::cpu::tensor_traits *get_tensor_traits(const ggml_tensor *op) override
    {
        static product products;
        static attending attends;
        return is_ours(op)        ? static_cast<ggml::cpu::tensor_traits *>(&products)
               : is_attention(op) ? &attends
                                  : nullptr;
    }
};

// ---- the buffer ----

struct pages {
    char *begin, *end;
};

// The whole pages of a range; none lie at its end.
pages pages_of(const void *data, size_t size)
{
    constexpr uintptr_t page = 4096;
    const uintptr_t at = reinterpret_cast<uintptr_t>(data), last = at + size,
                    begin = (at + page - 1) & ~(page - 1), end = last & ~(page - 1);
    if (begin >= end)
        return {reinterpret_cast<char *>(last), reinterpret_cast<char *>(last)};
    return {reinterpret_cast<char *>(begin), reinterpret_cast<char *>(end)};
}

bool advise(const pages &pages, int advice)
{
    return madvise(pages.begin, size_t(pages.end - pages.begin), advice) == 0;
}

// What this thread's loads are kept in.
thread_local kept *keeper;

// A matrix as it comes, and where its panels lie.
struct matrix {
    const panel_kind *kind;
    int64_t n_cols, n_panels;
    const char *rows;
    char *panels;
    size_t from, to; // bytes of a panel's rows, and of a panel

    matrix(const ggml_tensor *tensor, const void *data)
        : kind(kind_of(tensor)), n_cols(tensor->ne[0]),
          n_panels(tensor->ne[1] / PANEL_ROWS), rows(static_cast<const char *>(data)),
          panels(static_cast<char *>(tensor->data)),
          from(panel_source_size(kind, PANEL_ROWS, n_cols)),
          to(panel_size(kind, PANEL_ROWS, n_cols))
    {
    }

    void pack(int64_t i) const
    {
        panel_pack(kind, rows + i * from, n_cols, panels + i * to);
    }

    // Whether panel i lies there already.
    bool has(int64_t i) const
    {
        std::vector<char> panel(to);
        panel_pack(kind, rows + i * from, n_cols, panel.data());
        return memcmp(panel.data(), panels + i * to, to) == 0;
    }
};

// Each thread packs a part of the panels, of small matrices one thread all.
void set_tensor(ggml_backend_buffer_t, ggml_tensor *tensor, const void *data,
                size_t offset, size_t size)
{
    GGML_ASSERT(offset == 0 && size == ggml_nbytes(tensor));
    const matrix m(tensor, data);
    const int64_t n_threads = std::clamp<int64_t>(
        int64_t(size >> 20), 1, std::max(1u, std::thread::hardware_concurrency()));
    auto pack = [&](int64_t part) {
        for (int64_t i = m.n_panels * part / n_threads;
             i < m.n_panels * (part + 1) / n_threads; i++)
            m.pack(i);
    };
    std::vector<std::thread> others;
    for (int64_t part = 1; part < n_threads; part++)
        others.emplace_back(pack, part);
    pack(0);
    for (auto &other : others)
        other.join();
}

void set_mapped(ggml_backend_buffer_t buffer, ggml_tensor *tensor, const void *data,
                size_t offset, size_t size)
{
    const matrix m(tensor, data);
    if (m.has(0) && m.has(m.n_panels - 1))
        return;
    if (keeper)
        kept_doubt(keeper);
    set_tensor(buffer, tensor, data, offset, size);
}

void unmap(ggml_backend_buffer_t buffer)
{
    munmap(ggml_backend_buffer_get_base(buffer), ggml_backend_buffer_get_size(buffer));
}

ggml_backend_buffer_t map_buffer(size_t size)
{
    void *base = keeper ? kept_map(keeper, size) : nullptr;
    if (!base)
        return nullptr;
    ggml_backend_buffer_t buffer = ggml_backend_cpu_buffer_from_ptr(base, size);
    buffer->iface.set_tensor = set_mapped;
    buffer->iface.free_buffer = unmap;
    return buffer;
}

// Huge pages: a step reads all of it.
ggml_backend_buffer_t new_buffer(size_t size)
{
    ggml_backend_buffer_t buffer =
        ggml_backend_buft_alloc_buffer(ggml_backend_cpu_buffer_type(), size);
    if (!buffer)
        return nullptr;
    void *base = ggml_backend_buffer_get_base(buffer);
    advise(pages_of(base, size), MADV_HUGEPAGE);
    if (keeper)
        kept_made(keeper, base, size);
    buffer->iface.set_tensor = set_tensor;
    return buffer;
}

ggml_backend_buffer_t alloc_buffer(ggml_backend_buffer_type_t type, size_t size)
{
    ggml_backend_buffer_t buffer = map_buffer(size);
    if (!buffer)
        buffer = new_buffer(size);
    if (!buffer)
        return nullptr;
    buffer->buft = type;
    buffer->iface.get_tensor = nullptr;
    buffer->iface.cpy_tensor = nullptr;
    return buffer;
}

size_t alloc_size(ggml_backend_buffer_type_t, const ggml_tensor *tensor)
{
    const panel_kind *kind = kind_of(tensor);
    return kind ? panel_size(kind, tensor->ne[1], tensor->ne[0]) : ggml_nbytes(tensor);
}

ggml_backend_buffer_type_t panels()
{
    static interface ours;
    static ggml_backend_buffer_type type = {
        {[](ggml_backend_buffer_type_t) { return "CPU_PANELS"; }, alloc_buffer,
         [](ggml_backend_buffer_type_t) -> size_t { return 64; }, nullptr, alloc_size,
         nullptr},
        ggml_backend_reg_dev_get(ggml_backend_cpu_reg(), 0),
        &ours,
    };
    return &type;
}

// ---- clearing ----

// Pages of anonymous memory that were given back are zero when they are next looked at.
// Locked memory cannot be given back. What libllama clears are KV buffers, made for every
// slot at its longest: in huge pages the first token would have the kernel clear 2 MB of
// each layer's keys and values for some hundred bytes of them (96 MB with the 0.5B).
void clear(ggml_backend_buffer_t buffer, uint8_t value)
{
    char *base = static_cast<char *>(ggml_backend_buffer_get_base(buffer)),
         *last = base + ggml_backend_buffer_get_size(buffer);
    pages whole = pages_of(base, size_t(last - base));
    if (value != 0 || !advise(whole, MADV_DONTNEED))
        whole = {last, last};
    advise(whole, MADV_NOHUGEPAGE);
    memset(base, value, size_t(whole.begin - base));
    memset(whole.end, value, size_t(last - whole.end));
}

ggml_backend_buffer_t (*plain_alloc)(ggml_backend_buffer_type_t, size_t);

ggml_backend_buffer_t alloc_clearable(ggml_backend_buffer_type_t type, size_t size)
{
    ggml_backend_buffer_t buffer = plain_alloc(type, size);
    if (buffer)
        buffer->iface.clear = clear;
    return buffer;
}

} // namespace

void plug_clearing()
{
    ggml_backend_buffer_type_t type = ggml_backend_cpu_buffer_type();
    if (type->iface.alloc_buffer != alloc_clearable) {
        plain_alloc = type->iface.alloc_buffer;
        type->iface.alloc_buffer = alloc_clearable;
    }
}

bool plug_panels()
{
    auto &types = ggml_backend_cpu_get_extra_buffer_types();
    // Intel's tile registers (AMX), where ggml has them, are faster still.
    if (!panel_usable() || !attend_usable() || ggml_cpu_has_amx_int8())
        return false;
    if (types.empty() || types.front() != panels())
        types.insert(types.begin(), panels());
    return true;
}

void plug_keep(struct kept *kept)
{
    keeper = kept;
}

#else

void plug_clearing()
{
}

bool plug_panels()
{
    return false;
}

void plug_keep(struct kept *)
{
}

#endif

#include "engine/plan.h"
#include <string.h>

/* A larger batch must cost this much of a smaller one to be taken for its timing: less is
 * noise. */
#define WORTH 0.93

/* What a batch costs besides its rows, between it and the next, is not in the timings: of
 * covers that cost so nearly the same, the one of longer runs is taken. */
#define NEARLY 0.97

/* Places whose costs differ by less are as good as each other. */
#define ALIKE 0.95

/* A step that takes less than this of the least so far says that the machine was busy. */
#define STEADY 0.95

/* Costs in units of one row, measured with Q4_K_M on 2 cores: what is assumed until all
 * sizes were timed. Above 16 a row adds what it adds on average up to there. */
static const double assumed[] = {0,   1,   1.35, 1.6, 1.75, 2.6, 2.65, 2.8, 2.73,
                                 3.2, 3.4, 3.6,  3.7, 3.9,  4.0, 4.1,  4.2};
enum { N_ASSUMED = sizeof(assumed) / sizeof(*assumed) };

void plan_init(struct plan *plan, int n_slots, bool can_pad)
{
    memset(plan, 0, sizeof(*plan));
    plan->n_slots = n_slots;
    plan->can_pad = can_pad;
}

static int n_sizes(const struct plan *plan)
{
    return plan->n_slots < N_ASSUMED ? plan->n_slots : N_ASSUMED - 1;
}

int plan_untimed(const struct plan *plan)
{
    return plan->timed ? 0 : 1 + plan->n_timed % n_sizes(plan);
}

void plan_time(struct plan *plan, int64_t us)
{
    double *least = &plan->least_us[plan_untimed(plan)];
    if (*least == 0 || (double)us < *least * STEADY)
        plan->moved = true;
    if (*least == 0 || (double)us < *least)
        *least = (double)us;
    plan->n_timed++;
    if (plan->n_timed % n_sizes(plan) == 0) {
        plan->timed = !plan->moved || plan->n_timed == n_sizes(plan) * PLAN_PASSES;
        plan->moved = false;
    }
}

double plan_cost(const struct plan *plan, int n_rows)
{
    int most = n_sizes(plan);
    const double *costs = plan_untimed(plan) ? assumed : plan->least_us;
    return n_rows <= most ? costs[n_rows] : costs[most] * n_rows / most;
}

int plan_piece(const struct plan *plan, int n)
{
    double least[N_ASSUMED] = {0};
    int first[N_ASSUMED] = {0};
    if (n > n_sizes(plan))
        return n;
    for (int i = 1; i <= n; i++) {
        for (int piece = i; piece >= 1; piece--) {
            double cost = plan_cost(plan, piece) + least[i - piece];
            /* Fewer steps, unless more are clearly cheaper. */
            if (piece < i && cost >= least[i] * WORTH)
                continue;
            least[i] = cost;
            first[i] = piece;
        }
    }
    return first[n];
}

/* The cheapest number of rows, at least n, for a run over n slots. */
static int padded(const struct plan *plan, int n)
{
    int best = n;
    for (int more = n + 1; plan->can_pad && more <= plan->n_slots && more <= n + 4;
         more++)
        if (plan_cost(plan, more) < plan_cost(plan, best) * WORTH)
            best = more;
    return best;
}

static struct run run_over(const struct plan *plan, int from, int to)
{
    int n = padded(plan, to - from + 1);
    int first = from + n <= plan->n_slots ? from : plan->n_slots - n;
    return (struct run){first, n};
}

/* slots[0..n) speak, ascending. best[i] is the cost of covering the first i of them; the
 * last run then begins at slots[begin[i]]. */
static int cover(const struct plan *plan, const int *slots, int n, struct run *runs,
                 double *total)
{
    double best[PLAN_SLOTS_MAX + 1] = {0};
    int begin[PLAN_SLOTS_MAX + 1] = {0};
    for (int i = 1; i <= n; i++) {
        double costs[PLAN_SLOTS_MAX + 1] = {0}, least = 0;
        int j = i;
        for (; j >= 1; j--) {
            int span = slots[i - 1] - slots[j - 1] + 1;
            if (!plan->can_pad && span > i - j + 1)
                break;
            costs[j] = best[j - 1] + plan_cost(plan, padded(plan, span));
            least = j == i || costs[j] < least ? costs[j] : least;
        }
        for (j++; costs[j] * NEARLY > least;)
            j++;
        best[i] = costs[j];
        begin[i] = j - 1;
    }
    *total = best[n];
    int n_runs = 0;
    for (int i = n; i > 0; i = begin[i])
        runs[n_runs++] = run_over(plan, slots[begin[i]], slots[i - 1]);
    return n_runs;
}

int plan_runs(const struct plan *plan, const bool *speaks, const bool *alone,
              struct run *runs)
{
    int slots[PLAN_SLOTS_MAX] = {0}, n = 0, n_runs = 0;
    for (int i = 0; i < plan->n_slots; i++) {
        if (speaks[i] && alone[i])
            runs[n_runs++] = (struct run){i, 1};
        else if (speaks[i])
            slots[n++] = i;
    }
    double total;
    return n_runs + cover(plan, slots, n, runs + n_runs, &total);
}

struct place plan_place(const struct plan *plan, const bool *speaks, int slot)
{
    struct place place = {0};
    struct run runs[PLAN_SLOTS_MAX];
    int slots[PLAN_SLOTS_MAX] = {0}, n = 0;
    for (int i = 0; i < plan->n_slots; i++)
        if (speaks[i] || i == slot) {
            place.n_groups += n == 0 || slots[n - 1] != i - 1;
            slots[n++] = i;
        }
    place.span = n ? slots[n - 1] - slots[0] : 0;
    cover(plan, slots, n, runs, &place.cost);
    return place;
}

int plan_compare(struct place a, struct place b)
{
    if (a.cost < b.cost * ALIKE || b.cost < a.cost * ALIKE)
        return a.cost < b.cost ? -1 : 1;
    return a.n_groups != b.n_groups ? a.n_groups - b.n_groups : a.span - b.span;
}

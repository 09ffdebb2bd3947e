#include "engine/plan.h"
#include <string.h>

/* Costs in units of one row, measured with Q4_K_M on 2 cores: what is assumed until the
 * clock says better. Above 16 a row adds what it adds between 8 and 16. */
static const double assumed[] = {0,   1,   2,   2.4, 2.8, 3.7, 4,   4.6, 4.3,
                                 5.3, 5.5, 5.7, 5.4, 6.4, 6.6, 6.8, 5.8};
enum { N_ASSUMED = sizeof(assumed) / sizeof(*assumed) };

void plan_init(struct plan *plan, int n_slots, bool can_pad)
{
    memset(plan, 0, sizeof(*plan));
    plan->n_slots = n_slots;
    plan->can_pad = can_pad;
}

/* Follows down faster than up: a neighbour's noise only ever adds. */
void plan_learn(struct plan *plan, int n_rows, int64_t us)
{
    double *cost = &plan->cost_us[n_rows];
    if (*cost == 0)
        *cost = (double)us;
    else
        *cost += ((double)us - *cost) * ((double)us < *cost ? 0.3 : 0.03);
}

static double assumed_cost(int n_rows)
{
    if (n_rows < N_ASSUMED)
        return assumed[n_rows];
    return assumed[N_ASSUMED - 1] * n_rows / (N_ASSUMED - 1);
}

double plan_cost(const struct plan *plan, int n_rows)
{
    if (plan->cost_us[n_rows] > 0)
        return plan->cost_us[n_rows];
    for (int away = 1; away <= plan->n_slots; away++)
        for (int side = -1; side <= 1; side += 2) {
            int n = n_rows + side * away;
            if (n >= 1 && n <= plan->n_slots && plan->cost_us[n] > 0)
                return plan->cost_us[n] * assumed_cost(n_rows) / assumed_cost(n);
        }
    return assumed_cost(n_rows);
}

int plan_unknown(const struct plan *plan)
{
    for (int n = 1; n <= plan->n_slots && n < N_ASSUMED; n++)
        if (plan->cost_us[n] == 0)
            return n;
    return 0;
}

/* The cheapest number of rows, at least n, for a run over n slots. */
static int padded(const struct plan *plan, int n)
{
    int best = n;
    for (int more = n + 1; plan->can_pad && more <= plan->n_slots && more <= n + 4;
         more++)
        if (plan_cost(plan, more) < plan_cost(plan, best))
            best = more;
    return best;
}

static struct run run_over(const struct plan *plan, int from, int to)
{
    int n = padded(plan, to - from + 1);
    int first = from + n <= plan->n_slots ? from : plan->n_slots - n;
    return (struct run){first, n};
}

/* slots[0..n) speak, ascending. best[i] is the least cost of covering the first i of
 * them; the last run then begins at slots[begin[i]]. */
static int cover(const struct plan *plan, const int *slots, int n, struct run *runs)
{
    double best[PLAN_SLOTS_MAX + 1] = {0};
    int begin[PLAN_SLOTS_MAX + 1] = {0};
    for (int i = 1; i <= n; i++) {
        for (int j = i; j >= 1; j--) {
            int span = slots[i - 1] - slots[j - 1] + 1;
            if (!plan->can_pad && span > i - j + 1)
                break;
            double cost = best[j - 1] + plan_cost(plan, padded(plan, span));
            if (j == i || cost < best[i]) {
                best[i] = cost;
                begin[i] = j - 1;
            }
        }
    }
    int n_runs = 0;
    for (int i = n; i > 0; i = begin[i])
        runs[n_runs++] = run_over(plan, slots[begin[i]], slots[i - 1]);
    return n_runs;
}

int plan_runs(const struct plan *plan, const bool *speaks, const bool *alone,
              struct run *runs)
{
    int slots[PLAN_SLOTS_MAX], n = 0, n_runs = 0;
    for (int i = 0; i < plan->n_slots; i++) {
        if (speaks[i] && alone[i])
            runs[n_runs++] = (struct run){i, 1};
        else if (speaks[i])
            slots[n++] = i;
    }
    return n_runs + cover(plan, slots, n, runs + n_runs);
}

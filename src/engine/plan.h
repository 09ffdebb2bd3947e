/* plan.h - what a decode step costs, and so what the next batches hold.
 *
 * On CPUs the cost of a step is not linear in its rows: kernels work in tiles of 4 and 8
 * rows and have a faster path for one. Two sequences may be cheaper one after the other
 * than together, and six padded to eight cheaper than six. So the engine learns the cost
 * of each size by its own clock, and covers the slots that speak by runs of neighbouring
 * slots whose costs add up to the least. (Neighbouring, because a batch over KV streams
 * that do not lie side by side falls apart into one batch for each; a slot in between
 * that does not speak gets a pad row, whose result nobody reads.)
 *
 * Until a size was measured its cost is guessed from its neighbours. One thread. */
#ifndef POLLUX_ENGINE_PLAN_H
#define POLLUX_ENGINE_PLAN_H

#include <stdbool.h>
#include <stdint.h>

enum { PLAN_SLOTS_MAX = 64 };

struct plan {
    int n_slots;
    bool can_pad;
    double cost_us[PLAN_SLOTS_MAX + 1]; /* by rows; 0: not measured yet */
};

struct run {
    int first, n; /* slots [first, first + n) in one batch */
};

void plan_init(struct plan *plan, int n_slots, bool can_pad);

/* A step of n rows took this long. */
void plan_learn(struct plan *plan, int n_rows, int64_t us);

/* What a step of n rows will take, in microseconds (relative units before any is known).
 */
double plan_cost(const struct plan *plan, int n_rows);

/* A size that was never measured, up to 16 and the slots; 0 when all were. */
int plan_unknown(const struct plan *plan);

/* Covers every slot i with speaks[i]. Those with alone[i] get a run of their own. Returns
 * the number of runs, at most n_slots. */
int plan_runs(const struct plan *plan, const bool *speaks, const bool *alone,
              struct run *runs);

#endif

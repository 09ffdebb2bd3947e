/* plan.h - what a decode step costs, and so what the next batches hold.
 *
 * On CPUs the cost of a step is not linear in its rows: kernels work in tiles of 4 and 8
 * rows and have a faster path for one. Two sequences may be cheaper one after the other
 * than together, and six padded to eight cheaper than six. So the engine times each size
 * by its own clock, and covers the slots that speak by runs of neighbouring slots whose
 * costs add up to the least. (Neighbouring, because a batch over KV streams that do not
 * lie side by side falls apart into one batch for each; a slot in between that does not
 * speak gets a pad row, whose result nobody reads.)
 *
 * Only what was timed in one go, while nobody waited, is compared: the machine's speed
 * drifts, and a cost learned under load beside one learned in quiet would choose
 * nonsense. Until all sizes are timed a table stands in. One thread. */
#ifndef POLLUX_ENGINE_PLAN_H
#define POLLUX_ENGINE_PLAN_H

#include <stdbool.h>
#include <stdint.h>

enum { PLAN_SLOTS_MAX = 64, PLAN_PASSES = 5 /* over all sizes, at most */ };

struct plan {
    int n_slots;
    bool can_pad;
    int n_timed;                         /* steps so far */
    bool moved;                          /* a cost fell in this pass over the sizes */
    bool timed;                          /* all are known */
    double least_us[PLAN_SLOTS_MAX + 1]; /* by rows */
};

struct run {
    int first, n; /* slots [first, first + n) in one batch */
};

void plan_init(struct plan *plan, int n_slots, bool can_pad);

/* The batch size to time next, or 0: all are timed. Sizes take turns, so that a busy
 * spell of the machine does not make some look dear and others cheap; it is over when a
 * pass over all of them finds none clearly cheaper than before. */
int plan_untimed(const struct plan *plan);

/* A step of that size took this long. */
void plan_time(struct plan *plan, int64_t us);

/* What a step of n rows costs, in a unit that only compares. */
double plan_cost(const struct plan *plan, int n_rows);

/* How many of n rows of one slot to compute next, so that all of them cost least. */
int plan_piece(const struct plan *plan, int n);

/* Covers every slot i with speaks[i]. Those with alone[i] get a run of their own. Returns
 * the number of runs, at most n_slots. */
int plan_runs(const struct plan *plan, const bool *speaks, const bool *alone,
              struct run *runs);

/* Where a slot stands among those that speak. */
struct place {
    double cost;        /* of a step of all of them, in plan_cost's unit */
    int n_groups, span; /* of slots side by side; from the first to the last of all */
};

/* With `slot` speaking, too. */
struct place plan_place(const struct plan *plan, const bool *speaks, int slot);

/* < 0: a is better, 0: neither is. Where a step costs much the same side by side or
 * apart, as with few rows, who comes next makes the difference. */
int plan_compare(struct place a, struct place b);

#endif

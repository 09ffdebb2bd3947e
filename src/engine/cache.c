/* Every edge carries a run of tokens and a bit for each slot whose sequence goes through
 * it.
 * I1  Children of a node begin with different tokens.
 * I2  A node's bits are the union of its children's and of the slots that end in it.
 * I3  No node without bits; no node with one child and no slot of its own ending there
 *     (such a pair is merged when a slot is forgotten), so the tree has at most two nodes
 *     a slot. */
#include "engine/cache.h"
#include "base/arena.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct node {
    int32_t *tokens;
    int n;
    uint64_t slots;
    struct node *child; /* the first */
    struct node *next;  /* sibling */
};

struct cache {
    struct node root; /* n == 0 */
    pthread_mutex_t lock;
};

struct cache *cache_open(void)
{
    struct cache *cache = mem_alloc(sizeof(struct cache));
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

static void node_free(struct node *node)
{
    while (node) {
        struct node *next = node->next;
        node_free(node->child);
        free(node->tokens);
        free(node);
        node = next;
    }
}

void cache_close(struct cache *cache)
{
    if (!cache)
        return;
    node_free(cache->root.child);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

static struct node *node_new(const int32_t *tokens, int n, uint64_t slots)
{
    struct node *node = mem_alloc(sizeof(*node));
    node->tokens = mem_alloc(sizeof(int32_t) * (size_t)n);
    memcpy(node->tokens, tokens, sizeof(int32_t) * (size_t)n);
    node->n = n;
    node->slots = slots;
    return node;
}

static int common_length(const int32_t *a, int n_a, const int32_t *b, int n_b)
{
    int n = n_a < n_b ? n_a : n_b, i = 0;
    while (i < n && a[i] == b[i])
        i++;
    return i;
}

/* Restores I3 at a node that lost a slot. */
static void merge_only_child(struct node *node)
{
    struct node *child = node->child;
    if (!child || child->next || child->slots != node->slots)
        return;
    node->tokens = mem_grow(node->tokens, sizeof(int32_t) * (size_t)(node->n + child->n));
    memcpy(node->tokens + node->n, child->tokens, sizeof(int32_t) * (size_t)child->n);
    node->n += child->n;
    node->child = child->child;
    free(child->tokens);
    free(child);
}

static void forget(struct node *parent, uint64_t bit)
{
    for (struct node **link = &parent->child; *link; link = &(*link)->next) {
        struct node *node = *link;
        if (!(node->slots & bit))
            continue;
        forget(node, bit);
        node->slots &= ~bit;
        if (!node->slots) {
            *link = node->next;
            node->next = NULL;
            node_free(node);
        } else {
            merge_only_child(node);
        }
        return; /* a slot is one path */
    }
}

/* Cuts a node after `at` tokens; the rest becomes its only child. */
static void split(struct node *node, int at)
{
    struct node *tail = node_new(node->tokens + at, node->n - at, node->slots);
    tail->child = node->child;
    node->child = tail;
    node->n = at;
}

static struct node *child_with(const struct node *node, int32_t token)
{
    for (struct node *child = node->child; child; child = child->next)
        if (child->tokens[0] == token)
            return child;
    return NULL;
}

static void add(struct cache *cache, uint64_t bit, const int32_t *tokens, int n)
{
    struct node *node = &cache->root;
    while (n > 0) {
        struct node *child = child_with(node, tokens[0]);
        if (!child) {
            child = node_new(tokens, n, bit);
            child->next = node->child;
            node->child = child;
            return;
        }
        int same = common_length(child->tokens, child->n, tokens, n);
        if (same < child->n)
            split(child, same);
        child->slots |= bit;
        tokens += same;
        n -= same;
        node = child;
    }
    /* The sequence ends at this node: it must stay one, even with a single child. That
     * its bits are more than its children's is what keeps merge_only_child off. */
}

void cache_put(struct cache *cache, int slot, const int32_t *tokens, int n)
{
    uint64_t bit = (uint64_t)1 << slot;
    pthread_mutex_lock(&cache->lock);
    forget(&cache->root, bit);
    add(cache, bit, tokens, n);
    pthread_mutex_unlock(&cache->lock);
}

static void match(const struct cache *cache, const int32_t *tokens, int n, int *common,
                  int n_slots)
{
    const struct node *node = &cache->root;
    int depth = 0;
    while (depth < n && (node = child_with(node, tokens[depth]))) {
        int same = common_length(node->tokens, node->n, tokens + depth, n - depth);
        depth += same;
        for (int i = 0; i < n_slots; i++)
            if (node->slots >> i & 1)
                common[i] = depth;
        if (same < node->n)
            return;
    }
}

void cache_match(struct cache *cache, const int32_t *tokens, int n, int *common,
                 int n_slots)
{
    memset(common, 0, sizeof(int) * (size_t)n_slots);
    pthread_mutex_lock(&cache->lock);
    match(cache, tokens, n, common, n_slots);
    pthread_mutex_unlock(&cache->lock);
}

static int count(const struct node *node)
{
    int n = 0;
    for (; node; node = node->next)
        n += 1 + count(node->child);
    return n;
}

int cache_nodes(const struct cache *cache)
{
    return count(cache->root.child);
}

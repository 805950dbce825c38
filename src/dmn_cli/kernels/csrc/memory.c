/* The episodic memory of DMN+, all passes in one piece, where no gradient is wanted (equations: model/episodic_memory.py,
   model/attention_gate.py and model/gated_gru.py):

    base_i = W1_q [c_i∘q, |c_i-q|] + b1;   x_i = c_i W + b                        once, and for each pass
    g_i    = softmax or σ of W2 tanh(base_i + W1_m [c_i∘m, |c_i-m|]) + b2
    h_i    = h_{i-1} + g_i (H~_i - h_{i-1});   e = the last h
    m      = ReLU(W^t [m, e, q] + b^t)

A thread takes a block of questions from the first pass to the last, and what their facts are compared with and read by
stays in the core's caches. The episode goes from one open gate to the next: a gate below a number's rounding changes
the state by less than rounding does, and most are, since few facts matter to a question.

Facts are packed as in recurrence.c; in a block they lie step by step too, `first[t]` before those of step t. */

#include "vector.h"

typedef struct { /* shapes as in memory_c.py */
  Int rows, hidden, passes, steps;
  Int sigmoid; /* or softmax */
  Int threads;
  const Int *begin, *length, *order; /* as in recurrence.c */
  const REAL *c;        /* (packed, hidden) */
  const REAL *q;        /* (rows, hidden), in their own order, as are m and gates */
  const REAL *W1_q, *b1, *W1_m, *W2, *b2; /* (hidden, 2 hidden), (hidden,); (hidden, 2 hidden); (hidden,), (1,) */
  const REAL *W, *b, *U; /* (hidden, 2 hidden), (2 hidden,), (hidden, 2 hidden), of [R, H~] */
  const REAL *W_t, *b_t; /* (passes, hidden, 3 hidden), (passes, hidden) */
  REAL *m;     /* (rows, hidden) */
  REAL *gates; /* (rows, passes, steps), zeros */
  Parallel *parallel;
} Memory;

typedef struct {
  const Memory *given;
  const REAL *W1_q, *W1_m, *W, *U, *W_t; /* packed */
  Int W_t_size; /* from pass to pass */
  atomic_int *failed;
} Packed;

typedef struct { /* the questions that a thread works on */
  const Memory *given;
  Int at, rows;
  Int *first;           /* (steps + 1,) */
  REAL *base, *x, *g;   /* of each fact */
  REAL *q, *m;          /* (rows, hidden) */
  REAL *joined;         /* (rows, 3 hidden): [m, e, q] */
  REAL *z, *a, *h, *next; /* (rows, ...) what one step needs */
} Block;

/* z = [c∘v, |c-v|] of the facts of step t. Returns how many they are. v: (rows, hidden) */
static Int compare_step(const Block *o, Int t, const REAL *v) {
  const Int H = o->given->hidden, n = o->first[t + 1] - o->first[t];
  const REAL *c = o->given->c + (o->given->begin[t] + o->at) * H;
  for (Int i = 0; i < n; i++) compare(H, c + i * H, v + i * H, o->z + 2 * i * H, o->z + (2 * i + 1) * H);
  return n;
}

static void fill(REAL *to, Int rows, Int stride, const REAL *from, Int n) {
  for (Int i = 0; i < rows; i++) memcpy(to + i * stride, from, n * sizeof(REAL));
}

static void before_all_passes(const Packed *s, const Block *o) {
  const Memory *l = o->given;
  const Int H = l->hidden, wide = vectors(H) * LANES, wide_x = vectors(2 * H) * LANES;
  for (Int t = 0; t < l->length[o->at]; t++) {
    const Int n = compare_step(o, t, o->q);
    REAL *base = o->base + o->first[t] * wide, *x = o->x + o->first[t] * wide_x;
    fill(base, n, wide, l->b1, H);
    multiply(n, 2 * H, H, o->z, 2 * H, s->W1_q, base, wide);
    fill(x, n, wide_x, l->b, 2 * H);
    multiply(n, H, 2 * H, l->c + (l->begin[t] + o->at) * H, H, s->W, x, wide_x);
  }
}

static void score(const Packed *s, const Block *o) {
  const Memory *l = o->given;
  const Int H = l->hidden, wide = vectors(H) * LANES;
  for (Int t = 0; t < l->length[o->at]; t++) {
    const Int n = compare_step(o, t, o->m);
    memset(o->a, 0, n * wide * sizeof(REAL));
    multiply(n, 2 * H, H, o->z, 2 * H, s->W1_m, o->a, wide);
    for (Int i = 0; i < n; i++) {
      tanhs(H, o->a + i * wide, o->base + (o->first[t] + i) * wide, o->z);
      o->g[o->first[t] + i] = dot(H, o->z, l->W2) + *l->b2;
    }
  }
}

/* From scores to gates, of row i */
static void open_gates(const Block *o, Int i, REAL *written) {
  const Int length = o->given->length[o->at + i];
  REAL most = -INFINITY, sum = 0;
  for (Int t = 0; t < length; t++) most = fmax(most, o->g[o->first[t] + i]);
  for (Int t = 0; t < length; t++) {
    REAL *g = o->g + o->first[t] + i;
    *g = o->given->sigmoid ? sigmoid(*g) : exp(*g - most);
    sum += *g;
  }
  for (Int t = 0; t < length; t++) {
    REAL *g = o->g + o->first[t] + i;
    written[t] = *g = o->given->sigmoid ? *g : *g / sum;
  }
}

/* The episode's last states, to `joined` */
static void read_open(const Packed *s, Block *o) {
  const Memory *l = o->given;
  const Int H = l->hidden, wide = vectors(2 * H) * LANES;
  Int row[BLOCK], t[BLOCK], fact[BLOCK], rows = o->rows; /* of each that isn't at its end */
  for (Int i = 0; i < rows; i++) row[i] = i, t[i] = 0;
  memset(o->h, 0, rows * H * sizeof(REAL));
  for (int any = 0; rows; any = 1) {
    for (Int i = 0; i < rows;) {
      const Int length = l->length[o->at + row[i]];
      while (t[i] < length && o->g[o->first[t[i]] + row[i]] < ROUNDING) t[i]++; /* NaN is open, and seen */
      if (t[i] < length) {
        fact[i] = o->first[t[i]++] + row[i];
        i++;
      } else { /* the last of the rows takes its place */
        memcpy(o->joined + (3 * row[i] + 1) * H, o->h + i * H, H * sizeof(REAL));
        if (i < --rows) row[i] = row[rows], t[i] = t[rows], memcpy(o->h + i * H, o->h + rows * H, H * sizeof(REAL));
      }
    }
    memset(o->a, 0, rows * wide * sizeof(REAL));
    if (any) multiply(rows, H, 2 * H, o->h, H, s->U, o->a, wide);
    for (Int i = 0; i < rows; i++) {
      const REAL *a = o->a + i * wide, *x = o->x + fact[i] * wide;
      REAL *R = o->z, *inner = R + H, *c = inner + H;
      candidate_after(H, a, a + H, x, x + H, R, inner, c);
      update_by_gate(H, o->g[fact[i]], c, o->h + i * H, o->next + i * H);
    }
    REAL *before = o->h;
    o->h = o->next, o->next = before;
  }
}

static void update_memory(const Packed *s, const Block *o, Int pass) {
  const Memory *l = o->given;
  const Int H = l->hidden, wide = vectors(H) * LANES;
  for (Int i = 0; i < o->rows; i++) {
    memcpy(o->joined + 3 * i * H, o->m + i * H, H * sizeof(REAL));
    memcpy(o->joined + (3 * i + 2) * H, o->q + i * H, H * sizeof(REAL));
  }
  fill(o->a, o->rows, wide, l->b_t + pass * H, H);
  multiply(o->rows, 3 * H, H, o->joined, 3 * H, s->W_t + pass * s->W_t_size, o->a, wide);
  for (Int i = 0; i < o->rows; i++)
    for (Int k = 0; k < H; k++) o->m[i * H + k] = o->a[i * wide + k] < 0 ? 0 : o->a[i * wide + k];
}

static void pass_over(const void *packed, Int at, Int rows, REAL *scratch) {
  const Packed *s = packed;
  const Memory *l = s->given;
  const Int H = l->hidden, wide = vectors(H) * LANES, wide_x = vectors(2 * H) * LANES, steps = l->length[at];
  Block o = {.given = l, .at = at, .rows = rows, .first = malloc((steps + 1) * sizeof(Int))};
  for (Int t = 0, n = rows, facts = 0; o.first && t <= steps; facts += n, t++) {
    o.first[t] = facts;
    while (n && l->length[at + n - 1] <= t) n--;
  }
  const Int facts = o.first ? o.first[steps] : 0;
  if (!o.first || !(o.base = allocate(facts * (wide + wide_x + 1)))) {
    free(o.first);
    atomic_store(s->failed, 1);
    return;
  }
  o.x = o.base + facts * wide, o.g = o.x + facts * wide_x;
  o.q = scratch, o.m = o.q + rows * H, o.joined = o.m + rows * H;
  o.h = o.joined + 3 * rows * H, o.next = o.h + rows * H, o.z = o.next + rows * H, o.a = o.z + 3 * rows * H;
  for (Int i = 0; i < rows; i++) memcpy(o.q + i * H, l->q + l->order[at + i] * H, H * sizeof(REAL));
  memcpy(o.m, o.q, rows * H * sizeof(REAL));
  before_all_passes(s, &o);
  for (Int pass = 0; pass < l->passes; pass++) {
    score(s, &o);
    for (Int i = 0; i < rows; i++)
      open_gates(&o, i, l->gates + (l->order[at + i] * l->passes + pass) * l->steps);
    read_open(s, &o);
    update_memory(s, &o, pass);
  }
  for (Int i = 0; i < rows; i++) memcpy(l->m + l->order[at + i] * H, o.m + i * H, H * sizeof(REAL));
  free(o.base);
  free(o.first);
}

/* Returns whether there was memory for it. */
int memory(const Memory *l) {
  const Int H = l->hidden, in_2 = vectors(2 * H * (H + LANES)) * LANES, in_3 = vectors(3 * H * (H + LANES)) * LANES;
  const Int in_x = vectors(H * (2 * H + LANES)) * LANES;
  REAL *B = allocate(2 * in_2 + 2 * in_x + l->passes * in_3);
  if (!B) return 0;
  atomic_int failed = 0;
  REAL *W1_q = B, *W1_m = W1_q + in_2, *W = W1_m + in_2, *U = W + in_x, *W_t = U + in_x;
  pack(W1_q, 2 * H, H, l->W1_q, 1, 2 * H);
  pack(W1_m, 2 * H, H, l->W1_m, 1, 2 * H);
  pack(W, H, 2 * H, l->W, 2 * H, 1);
  pack(U, H, 2 * H, l->U, 2 * H, 1);
  for (Int pass = 0; pass < l->passes; pass++)
    pack(W_t + pass * in_3, 3 * H, H, l->W_t + pass * 3 * H * H, 1, 3 * H);
  const Packed packed = {l, W1_q, W1_m, W, U, W_t, in_3, &failed};
  const Int scratch_size = BLOCK * (10 * H + vectors(2 * H) * LANES);
  const int done = share(&packed, pass_over, l->rows, l->threads, l->parallel, scratch_size);
  free(B);
  return done && !failed;
}

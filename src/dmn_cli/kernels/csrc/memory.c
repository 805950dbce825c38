/* The episodic memory of DMN+, all passes in one piece, where no gradient is wanted (equations: model/episodic_memory.py,
   model/attention_gate.py and model/gated_gru.py):

    base_i = W1_q [c_i∘q, |c_i-q|] + b1;   x_i = c_i W + b                        once, and for each pass
    g_i    = softmax or σ of W2 tanh(base_i + W1_m [c_i∘m, |c_i-m|]) + b2
    h_i    = h_{i-1} + g_i (H~_i - h_{i-1});   e = the last h
    m      = ReLU(W^t [m, e, q] + b^t)

A thread takes a block of questions from the first pass to the last, and what their facts are compared with and read by
stays in the core's caches. The episode goes from one open gate to the next: a gate below a number's rounding changes
the state by less than rounding does, and most are, since few facts matter to a question.

Facts are packed as in recurrence.c. In a block they lie question by question: those of question i from first[i] on. */

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
  Int at, rows, facts;
  Int first[BLOCK], length[BLOCK];
  REAL *base, *x, *g;     /* of each fact */
  REAL *q, *m;            /* (rows, hidden) */
  REAL *joined;           /* (rows, 3 hidden): [m, e, q] */
  REAL *z, *a, *h, *next; /* (BLOCK, ...) what one product needs */
} Block;

/* z = [c∘m, |c-m|] of the next facts, at most BLOCK, from fact t of question i on, and c where it is wanted. Returns how
   many they are. */
static Int compare_next(const Block *o, Int *i, Int *t, REAL *c) {
  const Int H = o->given->hidden;
  Int n = 0;
  for (; *i < o->rows && n < BLOCK; n++) {
    const REAL *fact = o->given->c + (o->given->begin[*t] + o->at + *i) * H;
    compare(H, fact, o->m + *i * H, o->z + 2 * n * H, o->z + (2 * n + 1) * H);
    if (c) memcpy(c + n * H, fact, H * sizeof(REAL));
    if (++*t == o->length[*i]) *t = 0, ++*i;
  }
  return n;
}

static void fill(REAL *to, Int rows, Int stride, const REAL *from, Int n) {
  for (Int i = 0; i < rows; i++) memcpy(to + i * stride, from, n * sizeof(REAL));
}

/* In the first pass the memory is q, and what is the same in all of them is computed too. */
static void score(const Packed *s, const Block *o, int first) {
  const Memory *l = o->given;
  const Int H = l->hidden, wide = vectors(H) * LANES, wide_x = vectors(2 * H) * LANES;
  REAL *base = o->base, *x = o->x, *c = o->joined, *score = o->g;
  for (Int i = 0, t = 0, n; (n = compare_next(o, &i, &t, first ? c : NULL)); x += n * wide_x) {
    if (first) {
      fill(base, n, wide, l->b1, H);
      multiply(n, 2 * H, H, o->z, 2 * H, s->W1_q, base, wide);
      fill(x, n, wide_x, l->b, 2 * H);
      multiply(n, H, 2 * H, c, H, s->W, x, wide_x);
    }
    memset(o->a, 0, n * wide * sizeof(REAL));
    multiply(n, 2 * H, H, o->z, 2 * H, s->W1_m, o->a, wide);
    for (Int k = 0; k < n; k++, base += wide) {
      tanhs(H, o->a + k * wide, base, o->z);
      *score++ = dot(H, o->z, l->W2) + *l->b2;
    }
  }
}

static void softmax(Int n, REAL *g) {
  REAL most = -INFINITY, sum = 0;
  for (Int t = 0; t < n; t++) most = g[t] > most ? g[t] : most;
  for (Int t = 0; t < n; t++) sum += g[t] = exp(g[t] - most);
  for (Int t = 0; t < n; t++) g[t] /= sum;
}

/* From scores to gates */
static void open_gates(const Block *o, Int pass) {
  const Memory *l = o->given;
  for (Int k = 0; l->sigmoid && k < o->facts; k++) o->g[k] = sigmoid(o->g[k]);
  for (Int i = 0; i < o->rows; i++) {
    if (!l->sigmoid) softmax(o->length[i], o->g + o->first[i]);
    REAL *written = l->gates + (l->order[o->at + i] * l->passes + pass) * l->steps;
    memcpy(written, o->g + o->first[i], o->length[i] * sizeof(REAL));
  }
}

/* The episode's last states, to `joined` */
static void read_open(const Packed *s, Block *o) {
  const Int H = o->given->hidden, wide = vectors(2 * H) * LANES;
  Int row[BLOCK], fact[BLOCK], rows = o->rows; /* of each that isn't at its end: the fact that comes next */
  for (Int i = 0; i < rows; i++) row[i] = i, fact[i] = o->first[i];
  memset(o->h, 0, rows * H * sizeof(REAL));
  for (int any = 0; rows; any = 1) {
    for (Int i = 0; i < rows;) {
      const Int end = o->first[row[i]] + o->length[row[i]];
      while (fact[i] < end && o->g[fact[i]] < ROUNDING) fact[i]++; /* NaN is open, and seen */
      if (fact[i] < end) i++;
      else { /* the last of the rows takes its place */
        memcpy(o->joined + (3 * row[i] + 1) * H, o->h + i * H, H * sizeof(REAL));
        if (i < --rows) row[i] = row[rows], fact[i] = fact[rows], memcpy(o->h + i * H, o->h + rows * H, H * sizeof(REAL));
      }
    }
    memset(o->a, 0, rows * wide * sizeof(REAL));
    if (any) multiply(rows, H, 2 * H, o->h, H, s->U, o->a, wide);
    for (Int i = 0; i < rows; i++) {
      const REAL *a = o->a + i * wide, *x = o->x + fact[i] * wide;
      step_by_gate(H, o->g[fact[i]++], a, a + H, x, x + H, o->h + i * H, o->next + i * H);
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
  const Int H = l->hidden, wide = vectors(H) * LANES, wide_x = vectors(2 * H) * LANES;
  Block o = {.given = l, .at = at, .rows = rows};
  for (Int i = 0; i < rows; i++) o.first[i] = o.facts, o.facts += o.length[i] = l->length[at + i];
  if (!(o.base = allocate(o.facts * (wide + wide_x + 1)))) {
    atomic_store(s->failed, 1);
    return;
  }
  o.x = o.base + o.facts * wide, o.g = o.x + o.facts * wide_x;
  o.q = scratch, o.m = o.q + BLOCK * H, o.joined = o.m + BLOCK * H;
  o.h = o.joined + 3 * BLOCK * H, o.next = o.h + BLOCK * H, o.z = o.next + BLOCK * H, o.a = o.z + 3 * BLOCK * H;
  for (Int i = 0; i < rows; i++) memcpy(o.q + i * H, l->q + l->order[at + i] * H, H * sizeof(REAL));
  memcpy(o.m, o.q, rows * H * sizeof(REAL));
  for (Int pass = 0; pass < l->passes; pass++) {
    score(s, &o, !pass);
    open_gates(&o, pass);
    read_open(s, &o);
    update_memory(s, &o, pass);
  }
  for (Int i = 0; i < rows; i++) memcpy(l->m + l->order[at + i] * H, o.m + i * H, H * sizeof(REAL));
  free(o.base);
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

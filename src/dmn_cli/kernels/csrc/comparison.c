/* Facts compared with the question or the memory (equations: model/attention_gate.py): forward and backward pass.

    a = W1 [c∘v, |c-v|, cᵀWv] + base                the last feature only where there is a cW
    score = W2 tanh(a) + b2                         where there is a W2, and else a

with v the question or the memory that each fact is compared with. The features of a block of facts, their product with
W1 and the scores are computed one after the other while they lie in the core's caches. */

#include "vector.h"

typedef struct { /* shapes as in comparison.py; NULL: not there */
  Int rows, hidden; /* rows: facts */
  Int biased;       /* base is one row for all facts */
  Int threads;
  const Int *row;   /* (facts,) which v each fact is compared with; NULL: its own */
  const REAL *c;    /* (facts, hidden) */
  const REAL *v;    /* (questions, hidden) */
  const REAL *cW;   /* (facts, hidden) */
  const REAL *W1;   /* (hidden, features) */
  const REAL *base; /* (facts, hidden), or (hidden,) */
  const REAL *W2;   /* (hidden,) */
  const REAL *b2;   /* (1,) */
  REAL *z;          /* (facts, features) */
  REAL *y;          /* (facts, hidden) tanh(a), or a */
  REAL *score;      /* (facts,) */
  const REAL *d_score; /* (facts,) */
  REAL *da;            /* (facts, hidden), read, and not written, where there is no W2 */
  REAL *dc;            /* (facts, hidden) */
  REAL *dv;            /* (facts, hidden), of each fact's own v */
  REAL *dcW;           /* (facts, hidden) */
  Parallel *parallel;
} Comparison;

static void backward_of_score(Int n, REAL d, In W2, In y, Out da) {
  for (Int k = 0; k < n; k++) da[k] = d * W2[k] * (1 - y[k] * y[k]);
}
static void backward_of_compare(Int n, In joint, In distance, In c, In v, Out dc, Out dv) {
  for (Int k = 0; k < n; k++) {
    const REAL apart = c[k] - v[k], d = apart > 0 ? distance[k] : apart < 0 ? -distance[k] : 0;
    dc[k] = joint[k] * v[k] + d;
    dv[k] = joint[k] * c[k] - d;
  }
}
static void backward_of_dot(Int n, REAL d, In v, In cW, Out dcW, Out dv) {
  for (Int k = 0; k < n; k++) {
    dcW[k] = d * v[k];
    dv[k] += d * cW[k];
  }
}

typedef struct {
  const Comparison *given;
  const REAL *B; /* W1, packed */
} Packed;

static void forward(const void *packed, Int at, Int rows, REAL *a) {
  const Packed *s = packed;
  const Comparison *given = s->given;
  const Int H = given->hidden, features = 2 * H + (given->cW ? 1 : 0), wide = vectors(H) * LANES;
  REAL *z = given->z ? given->z + at * features : a + BLOCK * wide;
  for (Int i = 0; i < rows; i++) {
    const REAL *c = given->c + (at + i) * H, *v = given->v + (given->row ? given->row[at + i] : at + i) * H;
    compare(H, c, v, z + i * features, z + i * features + H);
    if (given->cW) z[i * features + 2 * H] = dot(H, given->cW + (at + i) * H, v);
  }
  memset(a, 0, rows * wide * sizeof(REAL));
  multiply(rows, features, H, z, features, s->B, a, wide);
  for (Int i = 0; i < rows; i++) {
    const REAL *a_i = a + i * wide, *base = given->base + (given->biased ? 0 : (at + i) * H);
    REAL *y = given->y ? given->y + (at + i) * H : z; /* z is done with where nothing is kept */
    if (given->W2) {
      tanhs(H, a_i, base, y);
      given->score[at + i] = dot(H, y, given->W2) + *given->b2;
    } else sum(H, a_i, base, y);
  }
}

static void backward(const void *packed, Int at, Int rows, REAL *dz) {
  const Packed *s = packed;
  const Comparison *given = s->given;
  const Int H = given->hidden, features = 2 * H + (given->cW ? 1 : 0), wide = vectors(features) * LANES;
  for (Int i = at; i < at + rows && given->W2; i++)
    backward_of_score(H, given->d_score[i], given->W2, given->y + i * H, given->da + i * H);
  memset(dz, 0, rows * wide * sizeof(REAL));
  multiply(rows, H, features, given->da + at * H, H, s->B, dz, wide);
  for (Int i = at; i < at + rows; i++) {
    const REAL *d = dz + (i - at) * wide, *v = given->v + (given->row ? given->row[i] : i) * H;
    backward_of_compare(H, d, d + H, given->c + i * H, v, given->dc + i * H, given->dv + i * H);
    if (given->cW) backward_of_dot(H, d[2 * H], v, given->cW + i * H, given->dcW + i * H, given->dv + i * H);
  }
}

/* The forward pass, or the backward pass where there is a `dc` to write. Returns whether there was memory for it. */
int comparison(const Comparison *given) {
  const Int H = given->hidden, features = 2 * H + (given->cW ? 1 : 0);
  REAL *B = allocate((H + LANES) * (features + LANES));
  if (!B) return 0;
  if (given->dc) pack(B, H, features, given->W1, features, 1);
  else pack(B, features, H, given->W1, 1, features);
  const Packed packed = {given, B};
  const Int scratch_size = BLOCK * (H + features + 2 * LANES);
  Work *const work = given->dc ? backward : forward;
  const int done = share(&packed, work, given->rows, given->threads, given->parallel, scratch_size);
  free(B);
  return done;
}

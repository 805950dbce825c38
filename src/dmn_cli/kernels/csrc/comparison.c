/* Facts compared with the question or the memory (attention_gate.py has the equations) on a CPU: forward and backward.

    a = base + W1 [c∘v, |c-v|, cᵀWv]                the last feature where there is a cW
    score = W2 tanh(a) + b2                         where there is a W2, and else a

with v the memory or the question that each fact is compared with. A block of facts has its features, their product
with W1 and the score while they lie in the core's caches. */

#include "vector.h"

typedef struct { /* shapes as in comparison.py; what isn't there is NULL */
  Int rows, hidden; /* rows: facts */
  Int even;         /* base is the same for all facts */
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
  REAL *da;            /* (facts, hidden), read where there is no W2 */
  REAL *dc;            /* (facts, hidden) */
  REAL *dv;            /* (facts, hidden), of each fact's own v */
  REAL *dcW;           /* (facts, hidden) */
  Parallel *parallel;
} Gate;

static void compare(Int n, In c, In v, Out joint, Out distance) {
  for (Int k = 0; k < n; k++) {
    const REAL apart = c[k] - v[k];
    joint[k] = c[k] * v[k];
    distance[k] = apart < 0 ? -apart : apart;
  }
}
static void back_of_score(Int n, REAL d, In W2, In y, Out da) {
  for (Int k = 0; k < n; k++) da[k] = d * W2[k] * (1 - y[k] * y[k]);
}
static void back_of_compare(Int n, In joint, In distance, In c, In v, Out dc, Out dv) {
  for (Int k = 0; k < n; k++) {
    const REAL apart = c[k] - v[k], d = apart > 0 ? distance[k] : apart < 0 ? -distance[k] : 0;
    dc[k] = joint[k] * v[k] + d;
    dv[k] = joint[k] * c[k] - d;
  }
}
static void back_of_dot(Int n, REAL d, In v, In cW, Out dcW, Out dv) {
  for (Int k = 0; k < n; k++) {
    dcW[k] = d * v[k];
    dv[k] += d * cW[k];
  }
}

typedef struct {
  const Gate *gate;
  const REAL *B; /* W1, packed */
} Packed;

static void there(const void *packed, Int at, Int rows, REAL *a) {
  const Packed *s = packed;
  const Gate *l = s->gate;
  const Int H = l->hidden, features = 2 * H + (l->cW ? 1 : 0), wide = vectors(H) * LANES;
  REAL *z = l->z ? l->z + at * features : a + BLOCK * wide;
  for (Int i = 0; i < rows; i++) {
    const REAL *c = l->c + (at + i) * H, *v = l->v + (l->row ? l->row[at + i] : at + i) * H;
    compare(H, c, v, z + i * features, z + i * features + H);
    if (l->cW) z[i * features + 2 * H] = dot(H, l->cW + (at + i) * H, v);
    memcpy(a + i * wide, l->base + (l->even ? 0 : (at + i) * H), H * sizeof(REAL));
    memset(a + i * wide + H, 0, (wide - H) * sizeof(REAL));
  }
  multiply(rows, features, H, z, features, s->B, a, wide);
  for (Int i = 0; i < rows; i++) {
    REAL *a_i = a + i * wide, *y = l->y ? l->y + (at + i) * H : z; /* z is done with where nothing is kept */
    if (l->W2) {
      tanhs(H, a_i, y);
      l->score[at + i] = dot(H, y, l->W2) + *l->b2;
    } else memcpy(y, a_i, H * sizeof(REAL));
  }
}

static void back(const void *packed, Int at, Int rows, REAL *dz) {
  const Packed *s = packed;
  const Gate *l = s->gate;
  const Int H = l->hidden, features = 2 * H + (l->cW ? 1 : 0), wide = vectors(features) * LANES;
  for (Int i = at; i < at + rows && l->W2; i++) back_of_score(H, l->d_score[i], l->W2, l->y + i * H, l->da + i * H);
  memset(dz, 0, rows * wide * sizeof(REAL));
  multiply(rows, H, features, l->da + at * H, H, s->B, dz, wide);
  for (Int i = at; i < at + rows; i++) {
    const REAL *d = dz + (i - at) * wide, *v = l->v + (l->row ? l->row[i] : i) * H;
    back_of_compare(H, d, d + H, l->c + i * H, v, l->dc + i * H, l->dv + i * H);
    if (l->cW) back_of_dot(H, d[2 * H], v, l->cW + i * H, l->dcW + i * H, l->dv + i * H);
  }
}

/* There, or back if there is a `dc` to write. Returns whether there was memory for it. */
int comparison(const Gate *l) {
  const Int H = l->hidden, features = 2 * H + (l->cW ? 1 : 0);
  REAL *B = numbers((H + LANES) * (features + LANES));
  if (!B) return 0;
  if (l->dc) pack(B, H, features, l->W1, features, 1);
  else pack(B, features, H, l->W1, 1, features);
  const Packed packed = {l, B};
  const int done =
      share(&packed, l->dc ? back : there, l->rows, l->threads, l->parallel, BLOCK * (H + features + 2 * LANES));
  free(B);
  return done;
}

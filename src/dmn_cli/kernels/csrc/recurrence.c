/* The gated recurrence (equations: model/gated_gru.py): forward and backward pass.

A thread takes a block of rows from the first step to the last, and then the next block. What a step needs stays in the
core's caches: the state, and U, which is laid out once in the order in which the products read it.

Rows are packed (records/packing.py): from begin[t] on lies step t of all rows that are longer than t, the longest row
first. */

#include "vector.h"

typedef struct { /* shapes as in recurrence.py; NULL: not there */
  Int rows, hidden;
  Int z;      /* update="gru" */
  Int before; /* reset="before" */
  Int threads;
  const Int *begin;  /* (steps,) */
  const Int *length; /* (rows,), falling */
  const Int *order;  /* (rows,) which row each is, for `last` and d_last alone */
  const Int *taken;  /* (packed,) the row of x that each step takes; NULL: its own */
  const REAL *x;     /* (packed, or as many as are taken, blocks x hidden) */
  const REAL *U;     /* (hidden, blocks x hidden), its blocks as in x; backward unless before: [H~, Z, R] */
  const REAL *g;     /* (packed,) */
  const REAL *h_0;   /* (rows, hidden); NULL: zeros, with which nothing need be multiplied */
  REAL *kept;        /* (packed, blocks + 2, hidden) of [Z, R, R ∘ H or H U_h, H~, H] */
  REAL *states;      /* (packed, hidden), or */
  REAL *last;        /* (rows, hidden) each row's last state */
  const REAL *d_states; /* (packed, hidden), or */
  const REAL *d_last;   /* (rows, hidden) of each row's last state */
  REAL *d;              /* (packed, blocks or one more, hidden) of [H U_h unless before, Z, R, H~] */
  REAL *dg;             /* (packed,) */
  REAL *dh_0;           /* (rows, hidden) */
  Parallel *parallel;
} Loop;

static void sigmoids(Int n, In a, In x, Out y) {
  for (Int k = 0; k < n; k++) y[k] = sigmoid(a[k] + x[k]);
}
static void times(Int n, In a, In b, Out y) {
  for (Int k = 0; k < n; k++) y[k] = a[k] * b[k];
}

/* R = σ(a_r + x_r);  H~ = tanh(x_h + R ∘ H U_h) */
static void candidate_after(Int n, In a_r, In h_U, In x_r, In x_h, Out r, Out inner, Out c) {
  for (Int k = 0; k < n; k++) {
    const REAL R = sigmoid(a_r[k] + x_r[k]), i = h_U[k];
    r[k] = R;
    inner[k] = i;
    c[k] = tanh_of(x_h[k] + R * i);
  }
}

/* H' = H + g (H~ - H) */
static void update_by_gate(Int n, REAL g, In c, In h, Out next) {
  for (Int k = 0; k < n; k++) next[k] = h[k] + g * (c[k] - h[k]);
}

/* H' = H + u ∘ (H~ - H) with u = g (1 - Z); with u = g it is `update_by_gate` */
static void update_by_z(Int n, REAL g, In z, In c, In h, Out next) {
  for (Int k = 0; k < n; k++) next[k] = h[k] + g * (1 - z[k]) * (c[k] - h[k]);
}

/* A step in one go, where nothing is kept for gradients: `step_by_gate` with u = g (1 - Z) */
static void step_by_z(Int n, REAL g, In a_z, In a_r, In h_U, In x_z, In x_r, In x_h, In h, Out next) {
  for (Int k = 0; k < n; k++) {
    const REAL c = tanh_of(x_h[k] + sigmoid(a_r[k] + x_r[k]) * h_U[k]);
    next[k] = h[k] + g * (1 - sigmoid(a_z[k] + x_z[k])) * (c - h[k]);
  }
}

/* Backward: the gradients of the arguments of H~ and Z; dh' becomes dh' (1 - u). `away`: dg = dh' · away */
static void backward_by_z(Int n, REAL g, In z, In c, In h, In dnext, Out away, Out dz, Out dc, Out dh) {
  for (Int k = 0; k < n; k++) {
    const REAL pass = 1 - z[k], through = g * pass * dnext[k];
    away[k] = pass * (c[k] - h[k]);
    dz[k] = -z[k] * through * (c[k] - h[k]);
    dc[k] = through * (1 - c[k] * c[k]);
    dh[k] = dnext[k] - through;
  }
}
static void backward_by_gate(Int n, REAL g, In c, In h, In dnext, Out away, Out dc, Out dh) {
  for (Int k = 0; k < n; k++) {
    away[k] = c[k] - h[k];
    dc[k] = g * dnext[k] * (1 - c[k] * c[k]);
    dh[k] = dnext[k] - g * dnext[k];
  }
}

/* The gradients of H U_h and of R's argument, from that of H~'s argument */
static void backward_after(Int n, In dc, In r, In inner, Out di, Out dr) {
  for (Int k = 0; k < n; k++) {
    di[k] = dc[k] * r[k];
    dr[k] = dc[k] * inner[k] * r[k] * (1 - r[k]);
  }
}
/* The gradient of R's argument, and what reaches H through R ∘ H, from d(R ∘ H) */
static void backward_before(Int n, In d_rh, In r, In h, Out dr, Out dh) {
  for (Int k = 0; k < n; k++) {
    dr[k] = d_rh[k] * h[k] * r[k] * (1 - r[k]);
    dh[k] += d_rh[k] * r[k];
  }
}

/* ---- the loops over steps, of `rows` rows from row `at` on ---- */

typedef struct {
  const Loop *loop;
  const REAL *B1, *B2; /* U, packed */
} Packed;

static void write_last(const Loop *l, Int row, const REAL *h) {
  if (l->last) memcpy(l->last + l->order[row] * l->hidden, h, l->hidden * sizeof(REAL));
}

static void forward(const void *packed, Int at, Int rows, REAL *scratch) {
  const Packed *s = packed;
  const Loop *l = s->loop;
  const Int H = l->hidden, gated = l->z ? 2 * H : H, width = gated + H, all = width + 2 * H;
  const Int wide = vectors(width) * LANES;
  REAL *a = scratch, *unkept = a + BLOCK * wide, *one = unkept + BLOCK * all, *other = one + BLOCK * H;
  if (!l->h_0) memset(other, 0, BLOCK * H * sizeof(REAL));
  const REAL *h = l->h_0 ? l->h_0 + at * H : other, *x[BLOCK];
  for (Int t = 0, longest = l->length[at]; t < longest; t++) {
    for (; l->length[at + rows - 1] <= t; rows--) write_last(l, at + rows - 1, h + (rows - 1) * H);
    const Int here = l->begin[t] + at;
    REAL *kept = l->kept ? l->kept + here * all : unkept;
    REAL *next = l->states ? l->states + here * H : h == one ? other : one;
    for (Int i = 0; i < rows; i++) x[i] = l->x + (l->taken ? l->taken[here + i] : here + i) * width;
    memset(a, 0, rows * wide * sizeof(REAL));
    const int any = t || l->h_0; /* whether h isn't 0 */
    if (any) multiply(rows, H, l->before ? gated : width, h, H, s->B1, a, wide);
    if (l->before) {
      for (Int i = 0; i < rows; i++) {
        REAL *zr = kept + i * all, *inner = zr + gated;
        sigmoids(gated, a + i * wide, x[i], zr);
        times(H, inner - H, h + i * H, inner);
      }
      memset(a, 0, rows * wide * sizeof(REAL));
      if (any) multiply(rows, H, H, kept + gated, all, s->B2, a, wide);
    }
    for (Int i = 0; i < rows; i++) {
      const REAL *a_i = a + i * wide, *h_i = h + i * H, *x_i = x[i], g = l->g ? l->g[here + i] : 1;
      if (!l->kept && !l->before) {
        const REAL *a_r = a_i + gated - H, *x_r = x_i + gated - H;
        if (l->z) step_by_z(H, g, a_i, a_r, a_r + H, x_i, x_r, x_r + H, h_i, next + i * H);
        else step_by_gate(H, g, a_r, a_r + H, x_r, x_r + H, h_i, next + i * H);
        continue;
      }
      REAL *z = kept + i * all, *inner = z + gated, *c = inner + H;
      if (l->before) tanhs(H, a_i, x_i + gated, c);
      else candidate_after(H, a_i + gated - H, a_i + gated, x_i + gated - H, x_i + gated, inner - H, inner, c);
      if (l->z && !l->before) sigmoids(H, a_i, x_i, z);
      if (l->z) update_by_z(H, g, z, c, h_i, next + i * H);
      else update_by_gate(H, g, c, h_i, next + i * H);
      if (l->kept) memcpy(c + H, h_i, H * sizeof(REAL));
    }
    h = next;
  }
  for (Int i = 0; i < rows; i++) write_last(l, at + i, h + i * H);
}

static void backward(const void *packed, Int at, Int rows, REAL *scratch) {
  const Packed *s = packed;
  const Loop *l = s->loop;
  const Int H = l->hidden, gated = l->z ? 2 * H : H, all = gated + 3 * H;
  const Int width = gated + (l->before ? 1 : 2) * H, wide = vectors(H) * LANES;
  REAL *dh = scratch, *d_rh = dh + BLOCK * wide, *dnext = d_rh + BLOCK * wide, *away = dnext + wide;
  memset(dh, 0, BLOCK * wide * sizeof(REAL));
  for (Int t = l->length[at] - 1, n = 0; t >= 0; t--) {
    for (; n < rows && l->length[at + n] > t; n++) /* whose last step this is */
      if (l->d_last) memcpy(dh + n * wide, l->d_last + l->order[at + n] * H, H * sizeof(REAL));
    const Int here = l->begin[t] + at;
    const REAL *kept = l->kept + here * all;
    REAL *d = l->d + here * width;
    for (Int i = 0; i < n; i++) {
      const REAL *z = kept + i * all, *inner = z + gated, *r = inner - H, *c = inner + H, *h = c + H;
      REAL *dh_i = dh + i * wide, *di = d + i * width, *dc = di + width - H, *dr = dc - H, *dz = dr - H;
      const REAL g = l->g ? l->g[here + i] : 1;
      if (l->d_states) sum(H, dh_i, l->d_states + (here + i) * H, dnext);
      else memcpy(dnext, dh_i, H * sizeof(REAL));
      if (l->z) backward_by_z(H, g, z, c, h, dnext, away, dz, dc, dh_i);
      else backward_by_gate(H, g, c, h, dnext, away, dc, dh_i);
      if (l->dg) l->dg[here + i] = dot(H, dnext, away);
      if (!l->before) backward_after(H, dc, r, inner, di, dr);
    }
    if (l->before) {
      memset(d_rh, 0, BLOCK * wide * sizeof(REAL));
      multiply(n, H, H, d + width - H, width, s->B2, d_rh, wide);
      for (Int i = 0; i < n; i++) {
        const REAL *inner = kept + i * all + gated, *h = inner + 2 * H;
        backward_before(H, d_rh + i * wide, inner - H, h, d + i * width + width - 2 * H, dh + i * wide);
      }
    }
    multiply(n, width - H, H, d, width, s->B1, dh, wide);
  }
  for (Int i = 0; i < rows && l->dh_0; i++) memcpy(l->dh_0 + (at + i) * H, dh + i * wide, H * sizeof(REAL));
}

/* The forward pass, or the backward pass where there is a `d` to write. Returns whether there was memory for it. */
int recurrence(const Loop *l) {
  const Int H = l->hidden, gated = l->z ? 2 * H : H, width = gated + H;
  const Int first = l->before ? gated : width, U_size = vectors((H + LANES) * (width + LANES)) * LANES;
  REAL *B1 = allocate(2 * U_size), *B2 = B1 + U_size;
  if (!B1) return 0;
  if (l->d) pack(B1, first, H, l->U, 1, width);
  else pack(B1, H, first, l->U, width, 1);
  if (l->before) pack(B2, H, H, l->U + gated, l->d ? 1 : width, l->d ? width : 1);
  const Packed packed = {l, B1, B2};
  const Int scratch_size = BLOCK * (2 * width + 4 * H + 2 * LANES);
  const int done = share(&packed, l->d ? backward : forward, l->rows, l->threads, l->parallel, scratch_size);
  free(B1);
  return done;
}

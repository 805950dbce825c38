/* The gated recurrence (gated_gru.py, whose equations these are) for CPUs: there, and back.

Rows don't know of each other, so a thread takes some of them, `BLOCK`, from the first step to the last, and then some
more. What a step needs stays in the core's caches: the state, and U, which is laid out once in the order in which the
products read it. A product keeps a tile of its result in registers, ROWS rows of up to 3 vectors, while it goes over
the inputs: each number of U that is loaded is used ROWS times, each of the state up to 3 times.

Rows are packed (packing.py): step t lies at begin[t], of all rows that are longer than t, the longest row first.
Compiled by gated_gru_native.py, as REAL = float for use, and as double for tests. */

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef int64_t Int;
typedef const REAL *restrict In;
typedef REAL *restrict Out;

typedef struct { /* shapes as in gated_gru.py; what isn't there is NULL */
  Int rows, hidden;
  Int z;      /* update="gru" */
  Int before; /* reset="before" */
  Int threads;
  const Int *begin;  /* (steps,) */
  const Int *length; /* (rows,), falling */
  const Int *order;  /* (rows,) which row each is, for d_last alone */
  const REAL *x;     /* (packed, blocks x hidden) */
  const REAL *U;     /* (hidden, blocks x hidden), its blocks as in x; backward unless before: [H~, Z, R] */
  const REAL *g;     /* (packed,) */
  const REAL *h_0;   /* (rows, hidden) */
  REAL *kept;        /* (packed, blocks + 1, hidden) of [Z, R, R ∘ H or H U_h, H~] */
  REAL *states;      /* (packed, hidden) */
  const REAL *d_states; /* (packed, hidden), or */
  const REAL *d_last;   /* (rows, hidden) of each row's last state */
  REAL *d;              /* (packed, blocks or one more, hidden) of [H U_h unless before, Z, R, H~] */
  REAL *dg;             /* (packed,) */
  REAL *dh_0;           /* (rows, hidden) */
} Loop;

#if defined(__AVX512F__)
enum { BYTES = 64, ROWS = 8 }; /* of a vector; of a tile: 24 of 32 registers */
#elif defined(__AVX__)
enum { BYTES = 32, ROWS = 4 }; /* 12 of 16 */
#else
enum { BYTES = 16, ROWS = 4 };
#endif
enum { LANES = BYTES / sizeof(REAL), BLOCK = 32, MOST_THREADS = 64 };
typedef REAL Vector __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

/* ---- products: C += A B, where B is packed ---- */

/* of `rows` rows and `n` vectors, both known when this is compiled. B: (K, n vectors) */
INLINE void tile(const int rows, const int n, Int K, const REAL *A, Int lda, const REAL *B, REAL *C, Int ldc) {
  Vector sum[ROWS][3];
  UNROLL for (int i = 0; i < rows; i++)
    UNROLL for (int v = 0; v < n; v++) sum[i][v] = *(const Vector *)(C + i * ldc + v * LANES);
  for (Int k = 0; k < K; k++) {
    Vector b[3];
    UNROLL for (int v = 0; v < n; v++) b[v] = *(const Vector *)(B + (k * n + v) * LANES);
    UNROLL for (int i = 0; i < rows; i++) {
      const REAL a = A[i * lda + k];
      UNROLL for (int v = 0; v < n; v++) sum[i][v] += a * b[v];
    }
  }
  UNROLL for (int i = 0; i < rows; i++)
    UNROLL for (int v = 0; v < n; v++) *(Vector *)(C + i * ldc + v * LANES) = sum[i][v];
}

INLINE void panel(const int n, Int rows, Int K, const REAL *A, Int lda, const REAL *B, REAL *C, Int ldc) {
  Int i = 0;
  for (; i + ROWS <= rows; i += ROWS) tile(ROWS, n, K, A + i * lda, lda, B, C + i * ldc, ldc);
  for (; ROWS > 4 && i + 4 <= rows; i += 4) tile(4, n, K, A + i * lda, lda, B, C + i * ldc, ldc);
  for (; i + 2 <= rows; i += 2) tile(2, n, K, A + i * lda, lda, B, C + i * ldc, ldc);
  for (; i < rows; i++) tile(1, n, K, A + i * lda, lda, B, C + i * ldc, ldc);
}

/* how many vectors hold N numbers, and how many of those that are left make the next panel */
INLINE Int vectors(Int N) { return (N + LANES - 1) / LANES; }
INLINE Int next_panel(Int left) { return left == 4 ? 2 : left < 3 ? left : 3; }

/* A: (rows, K); C: (rows, N up to whole vectors); lda, ldc: from row to row */
static void multiply(Int rows, Int K, Int N, const REAL *A, Int lda, const REAL *B, REAL *C, Int ldc) {
  for (Int left = vectors(N), n; left; left -= n) {
    n = next_panel(left);
    if (n == 3) panel(3, rows, K, A, lda, B, C, ldc);
    else if (n == 2) panel(2, rows, K, A, lda, B, C, ldc);
    else panel(1, rows, K, A, lda, B, C, ldc);
    B += n * K * LANES, C += n * LANES;
  }
}

/* B[k][j] = from[k * over_k + j * over_j], (K, N), panel by panel, filled up with zeros. Returns its end. */
static REAL *pack(REAL *B, Int K, Int N, const REAL *from, Int over_k, Int over_j) {
  for (Int left = vectors(N), n, at = 0; left; left -= n, at += n * LANES) {
    n = next_panel(left);
    for (Int k = 0; k < K; k++)
      for (Int j = at; j < at + n * LANES; j++) *B++ = j < N ? from[k * over_k + j * over_j] : 0;
  }
  return B;
}

/* ---- what is computed number by number: loops that a compiler makes vectors of ---- */

/* σ(x) = 1 / (1 + 2^t) with t = -x / ln 2 = n + f: 2^n is made of its bits, 2^f by its series about 0 (|f| <= 1/2, so
   a relative error of 1e-7). What is not a number stays so. */
INLINE REAL sigmoid(REAL x) {
  if (sizeof(REAL) == sizeof(double)) return 1 / (1 + exp(-x));
  float t = (float)x * -1.44269504f;
  t = t < -126 ? -126 : t;
  t = t > 126 ? 126 : t;
  const float n = rintf(t), f = t - n;
  float power = 1.5403530e-4f; /* (ln 2)^k / k!, k from 6 to 0 */
  power = power * f + 1.3333558e-3f;
  power = power * f + 9.6181291e-3f;
  power = power * f + 5.5504109e-2f;
  power = power * f + 2.4022651e-1f;
  power = power * f + 6.9314718e-1f;
  power = power * f + 1;
  const int32_t bits = ((int32_t)n + 127) * (1 << 23);
  float scale;
  memcpy(&scale, &bits, sizeof scale);
  return 1 / (1 + power * scale);
}
INLINE REAL tanh_of(REAL x) { return 2 * sigmoid(2 * x) - 1; }

static void sigmoids(Int n, In a, Out y) {
  for (Int k = 0; k < n; k++) y[k] = sigmoid(a[k]);
}
static void tanhs(Int n, In a, Out y) {
  for (Int k = 0; k < n; k++) y[k] = tanh_of(a[k]);
}
static void times(Int n, In a, In b, Out y) {
  for (Int k = 0; k < n; k++) y[k] = a[k] * b[k];
}
static void add(Int n, In a, Out y) {
  for (Int k = 0; k < n; k++) y[k] += a[k];
}

/* R = σ(a_r);  H~ = tanh(x_h + R ∘ H U_h) */
static void candidate_after(Int n, In a_r, In h_U, In x_h, Out r, Out inner, Out c) {
  for (Int k = 0; k < n; k++) {
    const REAL R = sigmoid(a_r[k]), i = h_U[k];
    r[k] = R;
    inner[k] = i;
    c[k] = tanh_of(x_h[k] + R * i);
  }
}

/* H' = H + u ∘ (H~ - H) with u = g (1 - Z) or g */
static void update_by_z(Int n, REAL g, In z, In c, In h, Out next) {
  for (Int k = 0; k < n; k++) next[k] = h[k] + g * (1 - z[k]) * (c[k] - h[k]);
}
static void update_by_gate(Int n, REAL g, In c, In h, Out next) {
  for (Int k = 0; k < n; k++) next[k] = h[k] + g * (c[k] - h[k]);
}

/* The same way back: d of H~'s and Z's arguments, dh' becomes dh' (1 - u). Returns dg. */
static REAL back_by_z(Int n, REAL g, In z, In c, In h, Out dh, Out dz, Out dc) {
  REAL dg = 0;
#pragma omp simd reduction(+ : dg)
  for (Int k = 0; k < n; k++) {
    const REAL pass = 1 - z[k], through = dh[k] * pass, apart = c[k] - h[k];
    dg += through * apart;
    dz[k] = -g * through * apart * z[k];
    dc[k] = g * through * (1 - c[k] * c[k]);
    dh[k] -= g * through;
  }
  return dg;
}
static REAL back_by_gate(Int n, REAL g, In c, In h, Out dh, Out dc) {
  REAL dg = 0;
#pragma omp simd reduction(+ : dg)
  for (Int k = 0; k < n; k++) {
    dg += dh[k] * (c[k] - h[k]);
    dc[k] = g * dh[k] * (1 - c[k] * c[k]);
    dh[k] -= g * dh[k];
  }
  return dg;
}

/* d of H U_h and of R's argument, from that of H~'s */
static void back_after(Int n, In dc, In r, In inner, Out di, Out dr) {
  for (Int k = 0; k < n; k++) {
    di[k] = dc[k] * r[k];
    dr[k] = dc[k] * inner[k] * r[k] * (1 - r[k]);
  }
}
/* d of R's argument, and what reaches H by R ∘ H, from d(R ∘ H) */
static void back_before(Int n, In d_rh, In r, In h, Out dr, Out dh) {
  for (Int k = 0; k < n; k++) {
    dr[k] = d_rh[k] * h[k] * r[k] * (1 - r[k]);
    dh[k] += d_rh[k] * r[k];
  }
}

/* ---- the loops over steps, of the rows from `at` on ---- */

typedef struct {
  const Loop *loop;
  const REAL *B1, *B2; /* U, packed */
  REAL *scratch;       /* of all threads */
  Int scratch_size;    /* of each */
  Int block;           /* rows */
  atomic_llong next, thread;
} Shared;

static void there(const Shared *s, Int at, Int rows, REAL *scratch) {
  const Loop *l = s->loop;
  const Int H = l->hidden, gated = l->z ? 2 * H : H, width = gated + H, all = width + H;
  const Int wide = vectors(width) * LANES;
  REAL *a = scratch, *unkept = a + BLOCK * wide;
  const REAL *h = l->h_0 + at * H;
  for (Int t = 0, longest = l->length[at]; t < longest; t++) {
    while (l->length[at + rows - 1] <= t) rows--;
    const Int here = l->begin[t] + at;
    const REAL *x = l->x + here * width;
    REAL *kept = l->kept ? l->kept + here * all : unkept, *next = l->states + here * H;
    for (Int i = 0; i < rows; i++) {
      memcpy(a + i * wide, x + i * width, gated * sizeof(REAL));
      memset(a + i * wide + gated, 0, (wide - gated) * sizeof(REAL));
    }
    multiply(rows, H, l->before ? gated : width, h, H, s->B1, a, wide);
    if (l->before) {
      for (Int i = 0; i < rows; i++) {
        REAL *zr = kept + i * all, *inner = zr + gated;
        sigmoids(gated, a + i * wide, zr);
        times(H, inner - H, h + i * H, inner);
        memcpy(a + i * wide, x + i * width + gated, H * sizeof(REAL));
      }
      multiply(rows, H, H, kept + gated, all, s->B2, a, wide);
    }
    for (Int i = 0; i < rows; i++) {
      const REAL *a_i = a + i * wide, *h_i = h + i * H, g = l->g ? l->g[here + i] : 1;
      REAL *z = kept + i * all, *inner = z + gated, *c = inner + H;
      if (l->before) tanhs(H, a_i, c);
      else candidate_after(H, a_i + gated - H, a_i + gated, x + i * width + gated, inner - H, inner, c);
      if (l->z && !l->before) sigmoids(H, a_i, z);
      if (l->z) update_by_z(H, g, z, c, h_i, next + i * H);
      else update_by_gate(H, g, c, h_i, next + i * H);
    }
    h = next;
  }
}

static void back(const Shared *s, Int at, Int rows, REAL *scratch) {
  const Loop *l = s->loop;
  const Int H = l->hidden, gated = l->z ? 2 * H : H, all = gated + 2 * H;
  const Int width = gated + (l->before ? 1 : 2) * H, wide = vectors(H) * LANES;
  REAL *dh = scratch, *d_rh = dh + BLOCK * wide;
  memset(dh, 0, BLOCK * wide * sizeof(REAL));
  for (Int t = l->length[at] - 1, n = 0; t >= 0; t--) {
    for (; n < rows && l->length[at + n] > t; n++) /* whose last step this is */
      if (l->d_last) memcpy(dh + n * wide, l->d_last + l->order[at + n] * H, H * sizeof(REAL));
    const Int here = l->begin[t] + at;
    const REAL *kept = l->kept + here * all;
    const REAL *h = t ? l->states + (l->begin[t - 1] + at) * H : l->h_0 + at * H;
    REAL *d = l->d + here * width;
    for (Int i = 0; i < n; i++) {
      const REAL *z = kept + i * all, *inner = z + gated, *r = inner - H, *c = inner + H, *h_i = h + i * H;
      REAL *dh_i = dh + i * wide, *di = d + i * width, *dc = di + width - H, *dr = dc - H, *dz = dr - H;
      const REAL g = l->g ? l->g[here + i] : 1;
      if (l->d_states) add(H, l->d_states + (here + i) * H, dh_i);
      const REAL dg = l->z ? back_by_z(H, g, z, c, h_i, dh_i, dz, dc) : back_by_gate(H, g, c, h_i, dh_i, dc);
      if (l->dg) l->dg[here + i] = dg;
      if (!l->before) back_after(H, dc, r, inner, di, dr);
    }
    if (l->before) {
      memset(d_rh, 0, BLOCK * wide * sizeof(REAL));
      multiply(n, H, H, d + width - H, width, s->B2, d_rh, wide);
      for (Int i = 0; i < n; i++)
        back_before(H, d_rh + i * wide, kept + i * all + gated - H, h + i * H, d + i * width + width - 2 * H,
                    dh + i * wide);
    }
    multiply(n, width - H, H, d, width, s->B1, dh, wide);
  }
  for (Int i = 0; i < rows && l->dh_0; i++) memcpy(l->dh_0 + (at + i) * H, dh + i * wide, H * sizeof(REAL));
}

/* ---- threads ---- */

static void *work(void *shared) {
  Shared *s = shared;
  const Loop *l = s->loop;
  REAL *scratch = s->scratch + atomic_fetch_add(&s->thread, 1) * s->scratch_size;
  for (Int at; (at = atomic_fetch_add(&s->next, 1) * s->block) < l->rows;) {
    const Int rows = l->rows - at < s->block ? l->rows - at : s->block;
    if (l->d) back(s, at, rows, scratch);
    else there(s, at, rows, scratch);
  }
  return NULL;
}

/* There, or back if there is a `d` to write. Returns whether there was memory for it. */
int run(const Loop *l) {
  const Int H = l->hidden, gated = l->z ? 2 * H : H, width = gated + H;
  Shared s = {.loop = l};
  const Int threads = l->threads < 1 ? 1 : l->threads < MOST_THREADS ? l->threads : MOST_THREADS;
  s.scratch_size = BLOCK * (2 * width + H + 2 * LANES);
  const Int U_size = vectors((H + LANES) * (width + LANES)) * LANES;
  char *memory = malloc((2 * U_size + threads * s.scratch_size) * sizeof(REAL) + BYTES);
  if (!memory) return 0;
  REAL *U = (REAL *)(((uintptr_t)memory + BYTES - 1) / BYTES * BYTES);
  s.scratch = U + 2 * U_size;
  const Int first = l->before ? gated : width;
  s.B1 = U;
  s.B2 = l->d ? pack(U, first, H, l->U, 1, width) : pack(U, H, first, l->U, width, 1);
  if (l->before) pack((REAL *)s.B2, H, H, l->U + gated, l->d ? 1 : width, l->d ? width : 1);

  /* whole tiles, and as many blocks for each thread */
  Int blocks = (l->rows + BLOCK - 1) / BLOCK;
  blocks = (blocks + threads - 1) / threads * threads;
  s.block = ((l->rows + ROWS - 1) / ROWS + blocks - 1) / blocks * ROWS;
  pthread_t others[MOST_THREADS];
  Int n = 0;
  while (n < threads - 1 && (n + 1) * s.block < l->rows && !pthread_create(&others[n], NULL, work, &s)) n++;
  work(&s);
  while (n) pthread_join(others[--n], NULL);
  free(memory);
  return 1;
}

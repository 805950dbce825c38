/* What the C sources share: matrix products that stay in the registers and caches of a core, σ and tanh, and threads.
   Compiled by c_build.py, as REAL = float for use, and as double for tests. */

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef int64_t Int;
typedef const REAL *restrict In;
typedef REAL *restrict Out;

#if defined(__AVX512F__)
enum { BYTES = 64, ROWS = 8 }; /* of a vector; of a tile: 24 of 32 registers */
#elif defined(__AVX__)
enum { BYTES = 32, ROWS = 4 }; /* 12 of 16 */
#else
enum { BYTES = 16, ROWS = 4 };
#endif
/* LANES: numbers of a vector; BLOCK: rows that a thread works on at a time */
enum { LANES = BYTES / sizeof(REAL), BLOCK = 32 };
#define ROUNDING (sizeof(REAL) == sizeof(float) ? FLT_EPSILON : DBL_EPSILON) /* of a number near 1 */
typedef REAL Vector __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

/* ---- products: C += A B, where B is packed ----

   A tile of the result stays in registers, ROWS rows of up to 3 vectors, while a product goes over the inputs: each
   number of B that is loaded is used ROWS times, each of A up to 3 times. */

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

/* B[k][j] = from[k * over_k + j * over_j], (K, N), panel by panel, filled up with zeros */
static void pack(REAL *B, Int K, Int N, const REAL *from, Int over_k, Int over_j) {
  for (Int left = vectors(N), n, at = 0; left; left -= n, at += n * LANES) {
    n = next_panel(left);
    for (Int k = 0; k < K; k++)
      for (Int j = at; j < at + n * LANES; j++) *B++ = j < N ? from[k * over_k + j * over_j] : 0;
  }
}

/* n numbers, aligned for vectors; NULL where there is no memory */
static REAL *allocate(Int n) { return aligned_alloc(BYTES, vectors(n) * BYTES); }

/* ---- elementwise functions, which the compiler vectorises ---- */

/* σ(x) = 1 / (1 + 2^t) with t = -x / ln 2 = n + f: 2^n is made of its bits, 2^f by its series about 0 (|f| <= 1/2, so
   a relative error of 1e-7). NaN stays NaN. */
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
  const uint32_t bits = (uint32_t)((int32_t)n + 127) << 23;
  float scale;
  memcpy(&scale, &bits, sizeof scale);
  return 1 / (1 + power * scale);
}
INLINE REAL tanh_of(REAL x) { return 2 * sigmoid(2 * x) - 1; }

/* Adds up in an order of its own, which doesn't depend on how the numbers are aligned. */
static REAL dot(Int n, const REAL *a, const REAL *b) {
  Vector lanes = {0};
  REAL sum = 0;
  Int k = 0;
  for (; k + LANES <= n; k += LANES) lanes += *(const Vector *)(a + k) * *(const Vector *)(b + k);
  for (int lane = 0; lane < LANES; lane++) sum += lanes[lane];
  for (; k < n; k++) sum += a[k] * b[k];
  return sum;
}

static void tanhs(Int n, In a, In x, Out y) {
  for (Int k = 0; k < n; k++) y[k] = tanh_of(a[k] + x[k]);
}
static void sum(Int n, In a, In b, Out y) {
  for (Int k = 0; k < n; k++) y[k] = a[k] + b[k];
}

/* [c∘v, |c-v|] */
static void compare(Int n, In c, In v, Out joint, Out distance) {
  for (Int k = 0; k < n; k++) {
    const REAL apart = c[k] - v[k];
    joint[k] = c[k] * v[k];
    distance[k] = apart < 0 ? -apart : apart;
  }
}

/* H' = H + g (H~ - H) with H~ = tanh(x_h + R ∘ H U_h), R = σ(a_r + x_r), where nothing is kept for gradients */
static void step_by_gate(Int n, REAL g, In a_r, In h_U, In x_r, In x_h, In h, Out next) {
  for (Int k = 0; k < n; k++) {
    const REAL c = tanh_of(x_h[k] + sigmoid(a_r[k] + x_r[k]) * h_U[k]);
    next[k] = h[k] + g * (c - h[k]);
  }
}

/* ---- threads ---- */

/* GOMP_parallel of the OpenMP library that torch has loaded. Its threads are torch's own, which spin while they wait
   for work: any others would have to share the cores with them. */
typedef void Parallel(void (*work)(void *), void *what, unsigned threads, unsigned flags);

typedef void Work(const void *what, Int at, Int rows, REAL *scratch);
typedef struct {
  const void *what;
  Work *work;
  REAL *scratch;    /* of all threads */
  Int scratch_size; /* of each */
  Int rows, block;
  atomic_llong next, thread;
} Shared;

static void take_blocks(void *shared) {
  Shared *s = shared;
  REAL *scratch = s->scratch + atomic_fetch_add(&s->thread, 1) * s->scratch_size;
  for (Int at; (at = atomic_fetch_add(&s->next, 1) * s->block) < s->rows;)
    s->work(s->what, at, s->rows - at < s->block ? s->rows - at : s->block, scratch);
}

static void *thread(void *shared) {
  take_blocks(shared);
  return NULL;
}

/* Does the work for all rows, a block at a time. Rows don't depend on each other, so the number of threads changes no
   bit. Returns whether there was memory for it. */
static int share(const void *what, Work *work, Int rows, Int threads, Parallel *parallel, Int scratch_size) {
  enum { MOST = 64 };
  threads = threads < 1 ? 1 : threads < MOST ? threads : MOST;
  Int blocks = (rows + BLOCK - 1) / BLOCK; /* as many for each thread, of whole tiles */
  blocks = (blocks + threads - 1) / threads * threads;
  Shared s = {.what = what, .work = work, .rows = rows, .scratch_size = vectors(scratch_size) * LANES};
  s.block = ((rows + ROWS - 1) / ROWS + blocks - 1) / blocks * ROWS;
  blocks = (rows + s.block - 1) / s.block;
  threads = threads < blocks ? threads : blocks;
  if (!(s.scratch = allocate(threads * s.scratch_size))) return 0;
  if (threads > 1 && parallel) parallel(take_blocks, &s, threads, 0);
  else {
    pthread_t others[MOST];
    Int n = 0;
    while (n < threads - 1 && !pthread_create(&others[n], NULL, thread, &s)) n++;
    take_blocks(&s);
    while (n) pthread_join(others[--n], NULL);
  }
  free(s.scratch);
  return 1;
}

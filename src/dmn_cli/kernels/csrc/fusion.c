/* The two directions of the fusion layer, added: y_i = right[seen[i]] + left[mirror[i]], in one go. Rows are read where
   they lie, and nothing is written but the sums. */

#include "vector.h"

typedef struct { /* shapes as in fusion.py */
  Int facts, hidden, threads;
  const REAL *right, *left;
  const Int *seen, *mirror;
  REAL *y;
  Parallel *parallel;
} Fusion;

static void add(const void *fusion, Int at, Int facts, REAL *scratch) {
  const Fusion *f = fusion;
  const Int H = f->hidden;
  (void)scratch;
  for (Int i = at; i < at + facts; i++) sum(H, f->right + f->seen[i] * H, f->left + f->mirror[i] * H, f->y + i * H);
}

/* Returns whether there was memory for it. */
int fusion(const Fusion *f) { return share(f, add, f->facts, f->threads, f->parallel, 1); }

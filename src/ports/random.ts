/** Chance, the only one there is. */

export interface Random {
  /** In [0, 1). */
  next(): number;
}

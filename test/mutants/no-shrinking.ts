/** Loaded before a test whose failure is expected: the first counterexample is enough, the smallest one takes minutes. */
import fc from 'fast-check';

fc.configureGlobal({ endOnFailure: true });

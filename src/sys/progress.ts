/** What is going on, for whoever waits at a terminal: one line on standard error that goes when the result comes. */

/** Quick work shows nothing. */
const EVERY_MS = 1_000;
const USUAL_COLUMNS = 80;

type Screen = Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'write'>;

/** Shows `what`, such as "Applying", and for how long already, until it is told to stop. Where no terminal can take a line away: nothing. */
export function showProgress(
  what: () => string,
  screen: Screen = process.stderr,
  terminal = process.env.TERM,
): () => void {
  if (!screen.isTTY || terminal === 'dumb') return () => {};
  // One that is too long for its row could not be taken away as a whole. A terminal that knows no width says 0.
  const show = (line: string) =>
    screen.write(`\r\x1b[K${line.slice(0, (screen.columns || USUAL_COLUMNS) - 1)}`);
  let shownTimes = 0;
  const timer = setInterval(() => {
    shownTimes++;
    show(`${what()} ... ${(shownTimes * EVERY_MS) / 1_000} s`);
  }, EVERY_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
    if (shownTimes > 0) show('');
  };
}

/** Colours on a terminal, where it has any and nobody has asked for none. */
import { styleText } from 'node:util';
import { type Painter, plain } from '../model/paint.js';

type Screen = Pick<NodeJS.WriteStream, 'isTTY'> & Partial<Pick<NodeJS.WriteStream, 'hasColors'>>;
type Environment = Readonly<Record<string, string | undefined>>;

/** For what is written to `screen`, which may be a pipe or a file as well. */
export function screenPainter(
  screen: Screen = process.stdout,
  environment: Environment = process.env,
): Painter {
  if (!hasColours(screen, environment)) return plain;
  // That has been decided: left to itself, styleText would look at standard output.
  return (colour, text) => styleText(colour, text, { validateStream: false });
}

/** https://no-color.org comes first; then https://force-color.org, which wants colours in a pipe too. */
function hasColours(screen: Screen, environment: Environment): boolean {
  const { NO_COLOR: none = '', FORCE_COLOR: forced = '' } = environment;
  if (none !== '') return false;
  if (forced !== '') return forced !== '0';
  // Node goes by TERM: `dumb` has none.
  return screen.isTTY === true && screen.hasColors?.({ ...environment }) === true;
}

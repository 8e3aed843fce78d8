/** `schema`: the file's JSON Schema, for editors and pipelines. */
import { EXIT, type ExitCode } from '../exit-codes.js';
import type { CommandContext } from '../session.js';

export async function schema(context: CommandContext): Promise<ExitCode> {
  const { jsonSchema } = await context.configReference();
  context.out(`${JSON.stringify(jsonSchema, undefined, 2)}\n`);
  return EXIT.done;
}

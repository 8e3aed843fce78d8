/**
 * What this instance wrote for others to start from. Those files have flannel's names and flannel's bytes, so no mark of
 * ours can stand in them: a record beside our state tells them from what flanneld or an operator put there.
 */

/** Path → the contents that it may have from us: two while it is being changed, so that a crash in between is no puzzle. */
export type WrittenFiles = ReadonlyMap<string, readonly string[]>;

/** Whatever cannot be read as a record says that nothing was written: then nothing is ours. */
export function parseWrittenFiles(text: string | undefined): WrittenFiles {
  try {
    const entries = Object.entries(JSON.parse(text ?? '{}') as Record<string, unknown>);
    return new Map(
      entries.flatMap(([path, contents]) => (isTexts(contents) ? [[path, contents] as const] : [])),
    );
  } catch {
    return new Map();
  }
}

export function writtenFilesText(written: WrittenFiles): string {
  return `${JSON.stringify(Object.fromEntries(written))}\n`;
}

/** While `content` is being written, either it or what was written last may stand there. */
export function whileWriting(written: WrittenFiles, path: string, content: string): WrittenFiles {
  const last = (written.get(path) ?? []).filter((other) => other !== content).slice(-1);
  return new Map([...written, [path, [...last, content]]]);
}

export function withFile(written: WrittenFiles, path: string, content: string): WrittenFiles {
  return new Map([...written, [path, [content]]]);
}

export function withoutFile(written: WrittenFiles, path: string): WrittenFiles {
  return new Map([...written].filter(([other]) => other !== path));
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}

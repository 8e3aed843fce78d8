/** Files in memory that count the writes which somebody outside the process might notice. */
import { FakeFiles } from '../fakes/fake-files.js';

export class CountedFiles extends FakeFiles {
  countedWrites = 0;
  readonly #isRecord: (path: string) => boolean;

  /** `isRecord` tells what the process remembers for itself. */
  constructor(isRecord: (path: string) => boolean) {
    super();
    this.#isRecord = isRecord;
  }

  override async write(path: string, content: string, mode: number): Promise<void> {
    await super.write(path, content, mode);
    if (!this.#isRecord(path)) this.countedWrites++;
  }

  override async remove(path: string): Promise<void> {
    await super.remove(path);
    if (!this.#isRecord(path)) this.countedWrites++;
  }
}

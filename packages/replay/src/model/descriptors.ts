/**
 * Descriptors: which file a process means by a number.
 *
 * Recordings hold no open, dup or close. A shared mapping, ftruncate and fallocate name a file by its descriptor; what the same
 * number names later is taken for the same file, as long as somebody maps it. A child starts with its parent's table, or shares it.
 */

/** clone(2): child and parent share the table of descriptors. */
export const CLONE_FILES: number = 0x400;

/** The table of a process. */
export class Descriptors {
  readonly #files: Map<number, number>;

  constructor(files: ReadonlyMap<number, number> = new Map()) {
    this.#files = new Map(files);
  }

  /** The file that a descriptor names; 0 if it was not heard of. */
  file(fd: number): number {
    return this.#files.get(fd) ?? 0;
  }

  /** A descriptor names this file. */
  set(fd: number, file: number): void {
    this.#files.set(fd, file);
  }

  /** A child's copy. */
  copy(): Descriptors {
    return new Descriptors(this.#files);
  }
}

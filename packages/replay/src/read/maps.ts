/**
 * /proc/PID/maps: what a process had mapped.
 *
 *     7fb20dc04000-7fb20dc2a000 r-xp 00028000 08:01 1234    /usr/lib/libc.so.6
 */

/** One mapping. */
export interface Mapped {
  /** First address. */
  readonly start: number;
  /** First address behind it. */
  readonly end: number;
  /** It may be read, written, executed. */
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
  /** What is written is seen by others. */
  readonly shared: boolean;
  /** Where in the file it begins, in bytes. */
  readonly offset: number;
  /** Which file: device and inode; '' for memory without one. */
  readonly file: string;
  /** Its path, or `[heap]`, `[stack]`, ...; '' if it has no name. */
  readonly path: string;
}

const LINE = /^([0-9a-f]+)-([0-9a-f]+) ([r-])([w-])([x-])([ps]) ([0-9a-f]+) (\S+) (\d+) *(.*)$/;

/** Digits of the largest address of user space; `[vsyscall]` has more. */
const USER_DIGITS = 13;

/** The mappings of user space, in order; lines of another form are left out. */
export function mappedIn(maps: string): Mapped[] {
  return maps.split('\n').flatMap((line) => {
    const [, start, end, read, write, execute, shared, offset, device, inode, path] = LINE.exec(line) ?? [];
    if (start === undefined || end === undefined || end.length > USER_DIGITS) return [];
    return [
      {
        start: Number.parseInt(start, 16),
        end: Number.parseInt(end, 16),
        read: read === 'r',
        write: write === 'w',
        execute: execute === 'x',
        shared: shared === 's',
        offset: Number.parseInt(offset!, 16),
        file: inode === '0' ? '' : `${device} ${inode}`,
        path: path!,
      },
    ];
  });
}

/** A path without its folders. */
export function basename(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

// What a recorder found before it began: mappings, and which pages were there.
import { existsSync, readFileSync } from 'node:fs';
import {
  entryNone,
  entryPresent,
  pteWrite,
  VM_GROWSDOWN,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  VM_WRITENOTIFY,
} from '@mmu-gather/core';
import { pageAnon, vmaLookup, vmNormalPage } from '@mmu-gather/mm';
import { describe, expect, test } from 'vitest';
import { machineOf } from '../src/facts.ts';
import { Files } from '../src/model/files.ts';
import { Host } from '../src/model/host.ts';
import { Inherited } from '../src/model/inherited.ts';
import { Ledger } from '../src/model/ledger.ts';
import { leafEntry, Spaces } from '../src/model/space.ts';
import { mappedIn } from '../src/read/maps.ts';
import type { Run } from '../src/read/recorder-notes.ts';
import { presentPages } from '../src/record/pagemap.ts';

const PAGE = 4096;
const AT = 0x7f0000000000;
const hex = (address: number): string => address.toString(16);
const MAPS = [
  `10000000-10004000 rw-p 00000000 00:00 0          [heap]`,
  `${hex(AT)}-${hex(AT + 8 * PAGE)} rw-p 00000000 00:00 0 `,
  `${hex(AT + 8 * PAGE)}-${hex(AT + 9 * PAGE)} r--p 00000000 08:01 7     /usr/lib/x.so`,
  `${hex(AT + 16 * PAGE)}-${hex(AT + 20 * PAGE)} rw-s 00002000 08:01 8   /data`,
  `7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0  [stack]`,
].join('\n');

const machine = await machineOf({ kernel: '6.18' }, 1);

function inherit(pages: readonly Run[]) {
  const host = new Host(machine, new Ledger(), new Ledger(), 1e6);
  const files = new Files(true);
  const spaces = new Spaces(host, files, false);
  const inherited = new Inherited(host, files, spaces);
  const cpu = host.cpu(0);
  const mm = host.unknownMm(cpu);
  inherited.note(mm, { tgid: 10, comm: 'app', threads: [10], maps: MAPS, pages });
  const entry = (page: number): number => leafEntry(cpu, mm, AT + page * PAGE);
  const touch = (from: number, to: number, there?: boolean): void =>
    inherited.touch(cpu, mm, AT + from * PAGE, AT + to * PAGE, there);
  return { cpu, mm, inherited, spaces, entry, touch };
}

const run = (page: number, pages: number, ofFile = false, exclusive = true): Run => ({
  start: AT + page * PAGE,
  pages,
  ofFile,
  exclusive,
});

describe('an address space that was there', () => {
  test('its mappings, once something is done in it', () => {
    const { cpu, mm, spaces, touch } = inherit([]);
    expect(vmaLookup(cpu, mm, AT)).toBeNull();
    touch(0, 1);
    const flags = (address: number): number => cpu.read(vmaLookup(cpu, mm, address)!.flags);
    expect(flags(AT)).toBe(VM_READ | VM_WRITE);
    expect(flags(AT + 8 * PAGE)).toBe(VM_READ);
    expect(flags(AT + 16 * PAGE)).toBe(VM_READ | VM_WRITE | VM_SHARED | VM_WRITENOTIFY);
    expect(cpu.read(vmaLookup(cpu, mm, AT + 16 * PAGE)!.pgoff)).toBe(2);
    expect(flags(0x7ffffffde000) & VM_GROWSDOWN).toBe(VM_GROWSDOWN);
    expect(spaces.brk(mm)).toBe(0x10004000);
  });

  test('its pages, where something is done to them', () => {
    const { cpu, entry, touch } = inherit([run(0, 6), run(6, 1, false, false), run(8, 1), run(16, 2, true)]);
    touch(2, 4);
    expect([0, 1, 2, 3, 4].map((page) => entryPresent(entry(page)))).toEqual([false, false, true, true, false]);
    expect(pteWrite(entry(2))).toBe(true);
    touch(0, 20);
    expect([0, 5, 6, 7, 16, 18].map((page) => entryPresent(entry(page)))).toEqual([
      true,
      true,
      true,
      false,
      true,
      false,
    ]);
    // Somebody else holds it, too, so a write has to copy.
    expect([pteWrite(entry(6)), vmNormalPage(entry(6))]).toEqual([false, 0]);
    expect(pteWrite(entry(16))).toBe(false);
    // It was written to before it became read-only.
    expect([pteWrite(entry(8)), pageAnon(cpu, vmNormalPage(entry(8)))]).toEqual([false, true]);
  });

  test('a page that turns out to be gone, and an address space that is another one now', () => {
    const { entry, touch, inherited, mm } = inherit([run(0, 4)]);
    touch(0, 1, false);
    touch(0, 2);
    expect([entryNone(entry(0)), entryPresent(entry(1))]).toEqual([true, true]);
    inherited.forget(mm);
    touch(0, 4);
    expect(entryNone(entry(3))).toBe(true);
  });
});

test.skipIf(!existsSync('/proc/self/pagemap'))('pages of this process', () => {
  const touched = Buffer.alloc(64 * PAGE, 1);
  const maps = mappedIn(readFileSync('/proc/self/maps', 'utf8'));
  const runs = presentPages(process.pid, maps, PAGE);
  expect(runs.length).toBeGreaterThan(10);
  expect(
    runs.every(
      ({ start, pages }, i) => i === 0 || start >= runs[i - 1]!.start + runs[i - 1]!.pages * PAGE || pages === 0,
    ),
  ).toBe(true);
  const within = ({ start, pages }: Run): boolean =>
    maps.some((each) => start >= each.start && start + pages * PAGE <= each.end);
  expect(runs.some(within)).toBe(true);
  expect(runs.some(({ ofFile }) => ofFile)).toBe(true);
  expect(runs.some(({ ofFile, exclusive }) => !ofFile && exclusive)).toBe(true);
  expect(touched[0]).toBe(1);
  expect(presentPages(2 ** 30, maps, PAGE)).toEqual([]);
});

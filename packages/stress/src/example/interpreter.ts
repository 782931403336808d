/**
 * An example for authors of emulators: a tiny computer of several CPUs with a software MMU. Its TLBs, page faults and shootdowns are these packages;
 * what is here is what an emulator has anyway: registers, RAM, and instructions.
 *
 *     thread of a CPU                              what it uses
 *     fetch, decode                                its own
 *     load, store, add to memory                   cpu.translate(address, write): the frame; 0: a page fault
 *     page fault, system calls                     doUserAddrFault, mmap, munmap, dupMm of @mmu-gather/mm
 *     copy on write                                mm says which frame is copied: Frames
 *     others change page tables meanwhile          interrupts are taken in cpu.translate, and nowhere else
 *
 * RAM is the emulator's own SharedArrayBuffer (ram.ts).
 */
import { LINUX_6_18, Mm, VM_READ, VM_WRITE } from '@mmu-gather/core';
import { contextSwitch, doUserAddrFault, dupMm, mmAlloc, mmap, mmget, mmput, munmap } from '@mmu-gather/mm';
import { Machine, type MachineOptions, meet, type ThreadCpu } from '@mmu-gather/threads';
import { x86 } from '@mmu-gather/x86';
import { FRAMES, PAGE, PAGE_WORDS, Ram, ramOf } from './ram.ts';

/** One instruction. `a`, `b` and `c` are registers; `x` is a number. */
export type Instruction =
  | readonly ['set', a: number, x: number]
  | readonly ['add', a: number, b: number, c: number]
  | readonly ['load', a: number, b: number]
  | readonly ['store', a: number, b: number]
  | readonly ['count', b: number]
  | readonly ['jump-if', a: number, x: number]
  | readonly ['map', b: number]
  | readonly ['unmap', b: number]
  | readonly ['fork']
  | readonly ['halt'];

/** What all threads of a computer are started with. */
export interface Computer {
  /** Number of CPUs. */
  readonly cpus: number;
  /** Contents of all frames. */
  readonly ram: SharedArrayBuffer;
  /** Memory of the machine below. */
  readonly buffer: SharedArrayBuffer;
}

function options(cpus: number): MachineOptions {
  const geometry = { pageShift: 12, bits: [9, 9] };
  const pools = { page: FRAMES, table: 64, mm: 8 };
  // 'mm': the address space that all CPUs run.
  return { cpus, geometry, backend: x86(), profile: LINUX_6_18, pools, words: ['mm'] };
}

/** Makes a computer. Its threads are started by whoever made it, each with {@link runComputer}. */
export function makeComputer(cpus: number): Computer {
  const { memory } = new Machine(options(cpus));
  return { cpus, ram: ramOf(), buffer: memory.buffer };
}

/** Runs a program on one CPU until it halts, on this thread. Returns its registers. */
export function runComputer({ cpus, ram, buffer }: Computer, id: number, program: readonly Instruction[]): number[] {
  const machine = new Machine(options(cpus), buffer);
  const { memory } = machine;
  const cpu = new Core(machine.cpu(id), new Ram(memory, ram));
  if (id === 0) memory.words.store(memory.own, mmAlloc(cpu.port).address);
  meet(memory, cpu.port);
  const mm = Mm.at(memory.words.load(memory.own));
  mmget(cpu.port, mm);
  contextSwitch(cpu.port, mm);
  const registers = cpu.run(mm, program);
  // Who has halted still answers the others.
  meet(memory, cpu.port);
  return registers;
}

/** One CPU: registers, and the port below. */
class Core {
  readonly port: ThreadCpu;
  readonly #ram: Ram;

  constructor(port: ThreadCpu, ram: Ram) {
    this.port = port;
    this.#ram = ram;
    port.frames = ram;
  }

  /** The interpreter. Register 0 holds the number of the CPU, register 1 counts faults that nobody answers. */
  run(mm: Mm, program: readonly Instruction[]): number[] {
    const r = [this.port.id, 0, 0, 0, 0, 0, 0, 0];
    let child: Mm | null = null;
    for (let at = 0; ; at++) {
      const [what, a = 0, b = 0, c = 0] = program[at]!;
      switch (what) {
        case 'set':
          r[a] = b;
          break;
        case 'add':
          r[a] = r[b]! + r[c]!;
          break;
        case 'jump-if':
          if (r[a] !== 0) at = b - 1;
          break;
        case 'load':
          this.#access(mm, r, r[b]!, false, (word) => (r[a] = Atomics.load(this.#ram.words, word)));
          break;
        case 'store':
          this.#access(mm, r, r[b]!, true, (word) => Atomics.store(this.#ram.words, word, r[a]!));
          break;
        case 'count':
          this.#access(mm, r, r[a]!, true, (word) => Atomics.add(this.#ram.words, word, 1));
          break;
        case 'map':
          mmap(this.port, mm, r[a]!, PAGE, VM_READ | VM_WRITE);
          break;
        case 'unmap':
          munmap(this.port, mm, r[a]!, PAGE);
          break;
        case 'fork':
          // The child holds the pages as they are, until the next one takes its place.
          if (child !== null) mmput(this.port, child);
          child = dupMm(this.port, mm);
          break;
        case 'halt':
          if (child !== null) mmput(this.port, child);
          return r;
      }
    }
  }

  /** An access of a word; what user code would get a signal for is counted and left out. */
  #access(mm: Mm, r: number[], address: number, write: boolean, access: (word: number) => void): void {
    for (;;) {
      const page = this.port.translate(address, write);
      if (page !== 0) {
        access(this.#ram.frame(page) * PAGE_WORDS + (address % PAGE) / 4);
        return;
      }
      if (doUserAddrFault(this.port, mm, address, write) === 0) continue;
      r[1]!++;
      return;
    }
  }
}

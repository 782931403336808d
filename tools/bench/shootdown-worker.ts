/**
 * The other thread of shootdown.ts: it does nothing but access a page, and answer.
 */
import { Mm } from '@mmu-gather/core';
import { contextSwitch } from '@mmu-gather/mm';
import { Machine, parent } from '@mmu-gather/threads';
import { HandMade } from './hand-made.ts';
import { ANSWERED, ASKED, type Partner, PHASE, PHASES, TWO_CPUS } from './shootdown.ts';

const { data, post } = await parent();
const { buffer, shared } = data as Partner;
const machine = new Machine(TWO_CPUS, buffer);
const cpu = machine.cpu(1);
contextSwitch(cpu, Mm.at(machine.memory.words.load(machine.memory.own)));
let sum = 0;

Atomics.store(shared, PHASE, PHASES.flush);
while (shared[PHASE] === PHASES.flush) sum += cpu.userRead(0);

const hand = new HandMade(1);
while (shared[PHASE] === PHASES.hand) {
  sum += hand.load(0);
  const asked = shared[ASKED]!;
  if (asked === shared[ANSWERED]) continue;
  hand.clear();
  Atomics.store(shared, ANSWERED, asked);
}
post(sum);

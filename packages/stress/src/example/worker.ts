/**
 * The module of the example's threads: one CPU each, which tells its registers when its program halts.
 */
import { parent } from '@mmu-gather/threads';
import { type Computer, type Instruction, runComputer } from './interpreter.ts';

/** What a thread is given. */
export interface Task {
  /** The computer. */
  readonly computer: Computer;
  /** Which CPU it is. */
  readonly id: number;
  /** What it runs. */
  readonly program: readonly Instruction[];
}

const { data, post } = await parent();
const { computer, id, program } = data as Task;
post(runComputer(computer, id, program));

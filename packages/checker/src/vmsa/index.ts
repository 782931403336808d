/**
 * The VMSA machine: bare instructions with address translation, under Arm's memory model.
 */
export { type EntryFields, type Faulted, type Management, type Translated, type Walk, walkOf } from './entry.ts';
export { VmsaMachine, type VmsaProgram } from './machine.ts';
export {
  type FaultKind,
  faultOf,
  FAULTS,
  type VmsaAccess,
  type VmsaDependencies,
  type VmsaInvalidation,
  type VmsaPort,
} from './port.ts';
export { VMSA_RULES, type VmsaRule, type Without } from './rules.ts';
export type { PhysicalPlace, Place, Values, VirtualPlace } from './values.ts';

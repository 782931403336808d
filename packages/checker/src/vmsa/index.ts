/**
 * The VMSA machine: bare instructions with address translation, under Arm's memory model.
 */
export { type EntryFields, type Management, type Walk, walkOf } from './entry.ts';
export { VmsaMachine, type VmsaProgram, type Place, type Values } from './machine.ts';
export {
  type FaultKind,
  faultOf,
  FAULTS,
  type VmsaAccess,
  type VmsaDependencies,
  type VmsaInvalidation,
  type VmsaPort,
} from './port.ts';

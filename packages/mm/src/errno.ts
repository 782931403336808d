/**
 * Results of mm operations: negative errno numbers, and the VM_FAULT bits of fault handlers (include/linux/mm_types.h).
 */

/** The address range holds no mapping (mprotect, madvise, brk). */
export const ENOMEM: number = 12;
/** A user address could not be accessed on a task's behalf. */
export const EFAULT: number = 14;
/** An argument is not a page address, or an empty range. */
export const EINVAL: number = 22;

/** The page behind a file mapping does not exist. */
export const VM_FAULT_SIGBUS: number = 0x2;
/** No VMA there, or it does not allow the access. */
export const VM_FAULT_SIGSEGV: number = 0x40;
/** The handler dropped mmap_lock and waited: look again from the start. */
export const VM_FAULT_RETRY: number = 0x400;
/** Bits of a result after which the access cannot be repeated. */
export const VM_FAULT_ERROR: number = VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV;

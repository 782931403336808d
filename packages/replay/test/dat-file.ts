/**
 * Builds small trace.dat files of version 6, in either byte order: what a test needs of ring buffers, and nothing else.
 */

/** Bytes of a page. */
export const PAGE = 4096;

/** The event of these files. */
export const FORMAT: string = `name: tlb_flush
ID: 188
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:int reason;	offset:8;	size:4;	signed:1;
	field:unsigned long pages;	offset:16;	size:8;	signed:0;

print fmt: "pages:%ld reason:%s (%d)", REC->pages, "x", REC->reason
`;

const HEADER_PAGE = `	field: u64 timestamp;	offset:0;	size:8;	signed:0;
	field: local_t commit;	offset:8;	size:8;	signed:1;
	field: int overwrite;	offset:8;	size:1;	signed:1;
	field: char data;	offset:16;	size:4080;	signed:0;
`;

/** Numbers in one byte order. */
export class Bytes {
  readonly #little: boolean;

  constructor(little: boolean) {
    this.#little = little;
  }

  u16(value: number): Buffer {
    const bytes = Buffer.alloc(2);
    if (this.#little) bytes.writeUInt16LE(value);
    else bytes.writeUInt16BE(value);
    return bytes;
  }

  u32(value: number): Buffer {
    const bytes = Buffer.alloc(4);
    if (this.#little) bytes.writeUInt32LE(value);
    else bytes.writeUInt32BE(value);
    return bytes;
  }

  u64(value: bigint | number): Buffer {
    const bytes = Buffer.alloc(8);
    if (this.#little) bytes.writeBigInt64LE(BigInt(value));
    else bytes.writeBigInt64BE(BigInt(value));
    return bytes;
  }

  /** The head of a record: its type, and the time since the one before. */
  head(type: number, delta: number): Buffer {
    return this.u32(this.#little ? ((delta << 5) | type) >>> 0 : ((type << 27) | delta) >>> 0);
  }

  /** The data of a flush. */
  flush(pages: number, pid: number = 7): Buffer {
    const begin = [this.u16(188), Buffer.from([1, 0x02]), this.u32(pid)];
    return Buffer.concat([...begin, this.u32(3), this.u32(0), this.u64(pages)]);
  }

  /** A flush as a record. */
  record(pages: number, delta: number): Buffer {
    const data = this.flush(pages);
    return Buffer.concat([this.head(data.length / 4, delta), data]);
  }

  /** A page. @param missed records that are lost before it: how many, or null if that is not known */
  page(time: number, records: readonly Buffer[], missed?: number | null): Buffer {
    const data = Buffer.concat(records);
    const bits = missed === undefined ? 0 : missed === null ? 2 ** 31 : 2 ** 31 + 2 ** 30;
    const page = Buffer.alloc(PAGE);
    Buffer.concat([this.u64(time), this.u64(data.length + bits), data]).copy(page);
    if (typeof missed === 'number') this.u64(missed).copy(page, 16 + data.length);
    return page;
  }

  /** A file with these pages of each CPU. */
  file(cpus: readonly (readonly Buffer[])[], clock: string = 'mono'): Buffer {
    const text = (value: string): Buffer => Buffer.from(value, 'latin1');
    const sized = (value: string): Buffer => Buffer.concat([this.u64(value.length), text(value)]);
    const cmdlines = '7 my task\n';
    const parts = [
      text('\x17\x08\x44tracing6\0'),
      Buffer.from([this.#little ? 0 : 1, 8]),
      this.u32(PAGE),
      text('header_page\0'),
      sized(HEADER_PAGE),
      text('header_event\0'),
      sized(''),
      this.u32(0),
      this.u32(1),
      text('tlb\0'),
      this.u32(1),
      sized(FORMAT),
      this.u32(0),
      this.u32(0),
      sized(cmdlines),
      this.u32(cpus.length),
      text('options  \0'),
      this.u16(4),
      this.u32(clock.length + 2),
      text(`[${clock}]`),
      this.u16(0),
      text('flyrecord\0'),
    ];
    const head = Buffer.concat(parts);
    const first = Math.ceil((head.length + 16 * cpus.length) / PAGE) * PAGE;
    const table: Buffer[] = [];
    let at = first;
    for (const pages of cpus) {
      const size = pages.length * PAGE;
      table.push(this.u64(at), this.u64(size));
      at += size;
    }
    const padding = Buffer.alloc(first - head.length - 16 * cpus.length);
    return Buffer.concat([head, ...table, padding, ...cpus.flat()]);
  }
}

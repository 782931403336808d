// node reading.ts FILE: reads a recording, and does nothing with it. Prints the number of its events.
import { openTrace } from '@mmu-gather/replay/predict';

let events = 0;
for await (const batch of (await openTrace(process.argv[2]!)).batches()) events += batch.length;
console.log(JSON.stringify({ events }));

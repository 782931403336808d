// A process of docs-what-if.mjs: takes recordings, and answers with their what-if reports.
import { basename } from 'node:path';
import { alternativesOf } from '../packages/cli/dist/what-if/alternatives.js';
import { whatIf } from '../packages/replay/dist/index.js';

process.on('message', async ({ trace, facts, asked }) => {
  try {
    const { recorded, alternatives, causes } = await whatIf(trace, {
      facts,
      alternatives: alternativesOf(asked, facts),
    });
    process.send({ report: { recorded, alternatives, causes } });
  } catch (error) {
    process.send({ error: `${basename(trace)}: ${error.message}` });
  }
});
// Who asked decides when it ends.
process.on('SIGINT', () => {});

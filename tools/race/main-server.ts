/**
 * `npm run race`: serves the page until it is interrupted.
 */
import { serve } from './server.ts';

const PORT = 8123;

const server = await serve(PORT);
console.log(`CPUs race at ${server.resolvedUrls?.local[0]}`);

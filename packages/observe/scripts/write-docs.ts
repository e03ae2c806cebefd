/** Writes docs/metrics.md from the metrics' definitions: `node packages/observe/scripts/write-docs.ts`. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { metricsMarkdown } from '../src/metrics/metrics-page.ts';

const page = new URL('../../../docs/metrics.md', import.meta.url);
writeFileSync(page, metricsMarkdown());
process.stdout.write(`wrote ${fileURLToPath(page)}\n`);

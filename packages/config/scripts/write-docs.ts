/** Writes docs/configuration.md and docs/config.schema.json from the schema: `node packages/config/scripts/write-docs.ts`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configJsonSchema, configurationMarkdown } from '../src/index.ts';

const docs = new URL('../../../docs/', import.meta.url);
mkdirSync(docs, { recursive: true });
writeFileSync(new URL('configuration.md', docs), configurationMarkdown());
writeFileSync(new URL('config.schema.json', docs), `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
process.stdout.write(`wrote ${fileURLToPath(docs)}configuration.md and config.schema.json\n`);

/** `pnpm catalog`: makes src/catalog.tsv again, after @pydantic/genai-prices was raised to a new version. */
import { writeFileSync } from 'node:fs';
import packageJson from '../package.json' with { type: 'json' };
import { genaiCatalog } from './genai-catalog.ts';

const text = await genaiCatalog(packageJson.devDependencies['@pydantic/genai-prices']);
writeFileSync(new URL('../src/catalog.tsv', import.meta.url), text);

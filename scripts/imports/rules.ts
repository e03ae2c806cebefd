/**
 * Who may import whom, all in this table:
 *
 *     domain ← config, limits, tokens, prices, ledger, keys, observe, http-client ← gateway
 *
 * Tools stand beside this line. Nothing imports a service: whoever needs a running one starts its `src/main.ts`.
 */

/** What one package or service may import of the workspace, besides itself. */
export interface ImportRule {
  /** Allowed everywhere in it. */
  readonly everywhere: readonly string[];
  /** Allowed in its `test/` and `bench/` folders only. */
  readonly inTests: readonly string[];
  /** Allowed in the files whose path below the package the pattern matches. */
  readonly inFiles?: { readonly pattern: RegExp; readonly allowed: readonly string[] };
  /** Whether its `src/` may import packages of others and `node:` modules. */
  readonly outsiders: boolean;
}

const testTools = ['@nexus/testkit', '@nexus/simulator'];
const layer: ImportRule = { everywhere: ['@nexus/domain'], inTests: testTools, outsiders: true };

/** By folder below the root. A folder that is missing here is a problem, so that a new package must be given a place. */
export const IMPORT_RULES: ReadonlyMap<string, ImportRule> = new Map([
  ['packages/domain', { everywhere: [], inTests: testTools, outsiders: false }],
  ['packages/config', layer],
  ['packages/limits', layer],
  ['packages/tokens', layer],
  ['packages/prices', layer],
  ['packages/ledger', layer],
  ['packages/keys', layer],
  ['packages/observe', layer],
  ['packages/http-client', { everywhere: [], inTests: testTools, outsiders: true }],
  [
    'services/gateway',
    {
      everywhere: [
        '@nexus/domain',
        '@nexus/config',
        '@nexus/limits',
        '@nexus/tokens',
        '@nexus/prices',
        '@nexus/ledger',
        '@nexus/keys',
        '@nexus/observe',
        '@nexus/http-client',
      ],
      inTests: testTools,
      // `nexus simulate` and `--simulate` put a stand-in upstream behind the gateway; `nexus verify` drives a running one.
      inFiles: {
        pattern: /^src\/(.+\/)?(simulate|verify)(-[^/]+)?\.ts$/,
        allowed: ['@nexus/simulator', '@nexus/verify'],
      },
      outsiders: true,
    },
  ],
  ['packages/verify', layer],
  // The simulator must be able to contradict us: it shares no word with the gateway, not even in its tests.
  ['packages/simulator', { everywhere: [], inTests: [], outsiders: true }],
  // Tests only: real SDKs against a running gateway, which they start as a process.
  ['services/clients', { everywhere: [], inTests: testTools, outsiders: true }],
  ['services/edge', { everywhere: [], inTests: testTools, outsiders: true }],
  // Tests only: many gateways on one Redis, judged by what `nexus verify` judges with.
  ['services/cluster', { everywhere: [], inTests: [...testTools, '@nexus/verify'], outsiders: true }],
  ['services/simulator', { everywhere: ['@nexus/simulator'], inTests: ['@nexus/testkit'], outsiders: true }],
  ['packages/testkit', { everywhere: ['@nexus/domain', '@nexus/simulator'], inTests: [], outsiders: true }],
  [
    'packages/bench',
    {
      everywhere: [
        '@nexus/domain',
        '@nexus/config',
        '@nexus/limits',
        '@nexus/tokens',
        '@nexus/observe',
        '@nexus/simulator',
      ],
      inTests: [],
      outsiders: true,
    },
  ],
]);

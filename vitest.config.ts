import { configDefaults, defineConfig } from 'vitest/config';

/** Tests that load many processes at once, and judge what these do in time: they have the machine to themselves. */
const ALONE = [
  'services/cluster/test/**/*.test.ts',
  'services/edge/test/{drain,restarts}.test.ts',
  'services/clients/test/readme.test.ts',
  'services/clients/test/guides/*.test.ts',
  'packages/limits/test/redis/{failover,many-instances}.test.ts',
  'packages/verify/test/{command,verify}.test.ts',
];

export default defineConfig({
  test: {
    testTimeout: 20_000,
    hookTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'together',
          include: [
            'scripts/test/**/*.test.ts',
            'packages/*/test/**/*.test.ts',
            'services/*/test/**/*.test.ts',
          ],
          exclude: [...configDefaults.exclude, ...ALONE],
          // As many files at once as there are cores: tests wait for sockets and child processes now and then.
          maxWorkers: '100%',
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: ALONE,
          maxWorkers: 1,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});

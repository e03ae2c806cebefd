import type { Config } from '@nexus/config';
import type { Ledger } from '@nexus/ledger';
import type { Log } from '@nexus/observe';
import type { AdminRoute } from '../admin/api.ts';
import { ProblemError } from '../admin/problem.ts';
import { usageQuestion } from './usage-question.ts';

const COUNT = { type: 'integer', minimum: 0 };
const TOTALS = {
  type: 'object',
  properties: {
    requests: COUNT,
    given_back: COUNT,
    unpriced: COUNT,
    input_tokens: COUNT,
    cached_input_tokens: COUNT,
    cache_write_tokens: COUNT,
    output_tokens: COUNT,
    reasoning_tokens: COUNT,
    cost_usd: { type: 'string', description: 'US dollars, exact.' },
  },
};

/** What the route looks at. */
export interface UsageParts {
  readonly ledger: Ledger | undefined;
  readonly config: Config;
  readonly log: Log;
}

/** `GET /admin/v1/usage`: what was used, by whom and of what. */
export function usageRoute(parts: UsageParts): AdminRoute {
  return {
    method: 'get',
    path: '/admin/v1/usage',
    scope: 'read',
    summary: 'What was used and what it cost, from the ledger',
    query: {
      by: 'What to break it down by: a list of day, month, team, key, customer, feature, model, upstream.',
      since: 'The first day, such as 2026-11-01; by default the first of this month.',
      until: 'The last day, itself included; by default today.',
      month: 'A whole month, such as 2026-11, in place of both.',
      format: 'csv for a spreadsheet; by default JSON.',
    },
    answer: {
      type: 'object',
      properties: {
        since: { type: 'string' },
        until: { type: 'string' },
        time_zone: { type: 'string' },
        by: { type: 'array', items: { type: 'string' } },
        rows: { type: 'array', items: TOTALS },
        groups: { type: 'array', items: TOTALS },
        total: TOTALS,
      },
    },
    alsoAs: ['text/csv'],
    async handle({ req }) {
      const { ledger, config, log } = parts;
      if (ledger === undefined)
        throw new ProblemError({
          status: 404,
          title: 'No Ledger',
          detail: 'There is no ledger: write `ledger: {}` in the configuration, and restart.',
        });
      const text = (name: string) => {
        const value = req.query[name];
        return typeof value === 'string' ? value : undefined;
      };
      const { timeZone, teams } = config;
      const asked = { by: text('by'), since: text('since'), until: text('until'), month: text('month') };
      const question = await usageQuestion(asked, { timeZone, teams }, Date.now());
      const format = text('format') ?? 'json';
      const wrong =
        'wrong' in question
          ? question.wrong
          : format === 'json' || format === 'csv'
            ? undefined
            : 'format is json or csv';
      if ('wrong' in question || wrong !== undefined)
        throw new ProblemError({ status: 400, title: 'Bad Request', detail: `${wrong}.` });
      const { reportJson, reportText, usageReport } = await import('@nexus/ledger');
      const report = await usageReport(ledger, question.query, timeZone).catch((error: unknown) => {
        log.error('ledger cannot be read', { error });
        throw new ProblemError({
          status: 503,
          title: 'Ledger Unavailable',
          detail: 'The ledger cannot be read right now. The log says why.',
        });
      });
      return format === 'csv'
        ? { text: reportText(report, 'csv'), type: 'text/csv; charset=utf-8' }
        : { json: reportJson(report) };
    },
  };
}

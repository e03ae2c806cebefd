import { parseUsd } from '@nexus/config';
import type { BucketView, CalendarLimit, OwnerLimits } from '@nexus/domain';
import { type BudgetRecord, changeBudget, restoreBudget } from '@nexus/keys';
import { NANO_PER_USD } from '@nexus/prices';
import { isBudget } from '../budgets/changed-budgets.ts';
import { instantOf } from '../keys/instant.ts';
import { fieldsOf } from '../keys/key-request.ts';
import { shownBucket } from '../ops/shown-limits.ts';
import type { AdminCall, AdminRoute } from './api.ts';
import { BUDGET_ANSWER, BUDGET_CHANGE, BUDGETS_ANSWER } from './budget-schemas.ts';
import { configuredOwners, type OwnerParts, ownerNamed } from './owners.ts';
import { type Problem, ProblemError } from './problem.ts';
import { badRequest, changed, doer, type StoreParts } from './stored.ts';

/** What the routes about budgets work on. */
export type BudgetParts = OwnerParts & StoreParts;

/** A budget as the configuration has it. */
interface Configured {
  readonly owner: string;
  /** All limits of the owner. */
  readonly limits: OwnerLimits;
  readonly limit: CalendarLimit;
}

/** Where to look up what became of a change. */
const LIST = 'GET /admin/v1/budgets';

const NO_SUCH_BUDGET: Problem = {
  status: 404,
  title: 'Not Found',
  detail: `The configuration gives no such budget. ${LIST} lists those that there are; a slash in an owner is written %2F.`,
};

/** The largest amount that a limiter keeps exactly, in nano-dollars. */
const LARGEST = 2 ** 52 - 1;

/** Routes that show budgets and change their amounts while Nexus runs. */
export function budgetRoutes(parts: BudgetParts): readonly AdminRoute[] {
  const path = '/admin/v1/budgets/{owner}/{limit}';
  const { keeper } = parts.keys;
  return [
    {
      method: 'get',
      path: '/admin/v1/budgets',
      scope: 'read',
      summary: 'The budgets in US dollars, what is spent or reserved of each, and which were changed',
      query: {
        owner: 'Only those of this one, also of an issued key or a customer: `customer:search/acme`',
      },
      answer: BUDGETS_ANSWER,
      handle: async ({ req }) => ({ json: await list(req.query.owner, parts) }),
    },
    {
      method: 'put',
      path,
      scope: 'budgets',
      summary:
        "Lets another amount hold than the configuration's, in every gateway, within a second; what is spent stays spent",
      body: BUDGET_CHANGE,
      answer: BUDGET_ANSWER,
      handle: async ({ req, body, by }) => {
        const configured = find(req, parts);
        const { owner, limit } = configured;
        const change = readChange(body, limit.timeZone);
        const budget = { owner, limit: limit.name, configuredNanoUsd: limit.amount };
        await changed(() => changeBudget(keeper, budget, change, doer(by.id, parts.log)), parts, LIST);
        return { json: (await shown([configured], parts))[0] };
      },
    },
    {
      method: 'delete',
      path,
      scope: 'budgets',
      summary: "Lets the configuration's amount hold again",
      answer: BUDGET_ANSWER,
      handle: async ({ req, by }) => {
        const owner = String(req.params.owner);
        const limit = String(req.params.limit);
        const configured = budgetsOf(ownerNamed(owner, parts)).find((each) => each.limit.name === limit);
        if (configured === undefined) await parts.keys.issued.refresh();
        const isIdle = parts.budgets.live().some((each) => each.owner === owner && each.limit === limit);
        // What nobody has could be anything: it is not repeated.
        if (configured === undefined && !isIdle) throw new ProblemError(NO_SUCH_BUDGET);
        const budget = { owner, limit, configuredNanoUsd: configured?.limit.amount ?? null };
        await changed(() => restoreBudget(keeper, budget, doer(by.id, parts.log)), parts, LIST);
        if (configured === undefined) return { json: { limit: `${owner}/${limit}`, change: null } };
        return { json: (await shown([configured], parts))[0] };
      },
    },
  ];
}

async function list(owner: unknown, parts: BudgetParts): Promise<object> {
  if (owner !== undefined && typeof owner !== 'string') throw badRequest('owner is given once.');
  const live = parts.budgets.live();
  const named = owner === undefined ? undefined : ownerNamed(owner, parts);
  if (owner !== undefined && named === undefined)
    throw new ProblemError({
      status: 404,
      title: 'Not Found',
      detail: 'There is no such owner with limits.',
    });
  const owners = new Map(named ? [[named.owner, named]] : configuredOwners(parts.config));
  // Issued keys and customers are many: those of them that were changed are shown.
  if (owner === undefined)
    for (const record of live) {
      const found = owners.has(record.owner) ? undefined : ownerNamed(record.owner, parts);
      if (found) owners.set(found.owner, found);
    }
  const budgets = [...owners.values()].flatMap(budgetsOf);
  const idle = live.filter(
    (record) =>
      (owner === undefined || record.owner === owner) &&
      !budgets.some(({ owner: of, limit }) => of === record.owner && limit.name === record.limit),
  );
  return {
    budgets: await shown(budgets, parts),
    idle_changes: idle.map((record) => ({
      budget: `${record.owner}/${record.limit}`,
      change: shownChange(record),
    })),
    store: parts.keys.issued.state().status,
  };
}

/** The budgets among an owner's limits. */
function budgetsOf(limits: OwnerLimits | undefined): Configured[] {
  return (limits?.buckets ?? []).flatMap((limit) =>
    limits && isBudget(limit) ? [{ owner: limits.owner, limits, limit }] : [],
  );
}

async function shown(
  configured: readonly Configured[],
  { limiter, budgets }: BudgetParts,
): Promise<object[]> {
  const live = new Map(budgets.live().map((record) => [`${record.owner}/${record.limit}`, record]));
  const owners = new Map(
    configured.map(({ owner, limits }) => [
      owner,
      { ...limits, buckets: budgets.of(limits).buckets.filter(isBudget) },
    ]),
  );
  const views = new Map(
    (await limiter.peek([...owners.values()])).map((view) => [`${view.owner}/${view.limit.name}`, view]),
  );
  return configured.flatMap(({ owner, limit }) => {
    const name = `${owner}/${limit.name}`;
    const view = views.get(name);
    return view ? [shownBudget(view, limit, live.get(name))] : [];
  });
}

function shownBudget(view: BucketView, limit: CalendarLimit, record: BudgetRecord | undefined): object {
  return {
    ...shownBucket(view),
    configured: limit.amount / NANO_PER_USD,
    change: record === undefined ? null : shownChange(record),
  };
}

function shownChange({ change, setMs, setBy }: BudgetRecord): object {
  return {
    amount: (change?.amountNanoUsd ?? 0) / NANO_PER_USD,
    by: setBy,
    at: new Date(setMs).toISOString(),
    until: change?.untilMs === undefined ? null : new Date(change.untilMs).toISOString(),
  };
}

/** The budget that a path names. @throws ProblemError 404 or 409 */
function find({ params }: AdminCall['req'], parts: BudgetParts): Configured {
  const { owner, limit } = params;
  const limits = typeof owner === 'string' ? ownerNamed(owner, parts) : undefined;
  const found = budgetsOf(limits).find((each) => each.limit.name === limit);
  if (found) return found;
  if (limits?.shadows?.some(({ name }) => name === limit))
    throw new ProblemError({
      status: 409,
      title: 'Conflict',
      detail: 'This limit is only tried (`shadow`) and refuses nobody. Change it in the configuration.',
    });
  throw new ProblemError(NO_SUCH_BUDGET);
}

function readChange(
  body: unknown,
  timeZone: string,
): { readonly amountNanoUsd: number; readonly untilMs?: number } {
  const fields = fieldsOf(body, ['amount', 'until']);
  if ('wrong' in fields) throw badRequest(`${fields.wrong.join('; ')}.`);
  const { amount, until } = fields.values;
  const amountNanoUsd = parseUsd(amount);
  const untilMs = until === undefined ? undefined : instantOf(until, timeZone, Date.now());
  const wrong = [];
  if (amountNanoUsd === undefined || amountNanoUsd > LARGEST)
    wrong.push(
      'amount is no amount of US dollars such as 80 or 0.25, with nine decimals and 4503599 at most',
    );
  if (until !== undefined && untilMs === undefined)
    wrong.push('until is neither a duration such as 7d nor a day to come such as 2027-03-31');
  if (amountNanoUsd === undefined || wrong.length > 0) throw badRequest(`${wrong.join('; ')}.`);
  return { amountNanoUsd, ...(untilMs === undefined ? {} : { untilMs }) };
}

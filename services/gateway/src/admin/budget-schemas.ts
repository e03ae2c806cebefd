/** JSON schemas of the routes about budgets. Amounts are US dollars. */

const USD = { type: 'number', minimum: 0 };
const TIME = { type: 'string', format: 'date-time' };

const CHANGE = {
  type: ['object', 'null'],
  description: 'What holds in place of the amount of the configuration; null: nothing.',
  required: ['amount', 'by', 'at', 'until'],
  properties: {
    amount: USD,
    by: { type: 'string', description: '`api:` and the id of a token.' },
    at: TIME,
    until: { ...TIME, type: ['string', 'null'], description: 'From then on the configuration holds again.' },
  },
};

export const BUDGET_CHANGE = {
  type: 'object',
  required: ['amount'],
  additionalProperties: false,
  properties: {
    amount: {
      anyOf: [USD, { type: 'string' }],
      description: 'US dollars, with nine decimals at most: 80, 0.25. 0 refuses everything.',
    },
    until: {
      type: 'string',
      description:
        'A duration such as `7d`, or a day or instant such as `2027-03-31`. Absent: until it is changed.',
    },
  },
};

export const BUDGET_ANSWER = {
  type: 'object',
  required: ['limit', 'change'],
  properties: {
    limit: { type: 'string', description: 'As refusals name it: `team:search/usd_per_day`.' },
    amount: { ...USD, description: 'What holds now.' },
    used: { type: 'number', description: 'Spent, or reserved by calls under way.' },
    available: { type: 'number', description: 'Below 0 where more is spent than now holds.' },
    period: { enum: ['day', 'month'] },
    time_zone: { type: 'string' },
    configured: { ...USD, description: 'What the configuration says.' },
    change: CHANGE,
  },
};

export const BUDGETS_ANSWER = {
  type: 'object',
  required: ['budgets', 'idle_changes', 'store'],
  properties: {
    budgets: { type: 'array', items: BUDGET_ANSWER },
    idle_changes: {
      type: 'array',
      description: 'Changes of budgets that the configuration gives to nobody any more: they do nothing.',
      items: { type: 'object', properties: { budget: { type: 'string' }, change: CHANGE } },
    },
    store: {
      enum: ['ok', 'away'],
      description: 'Away: the store does not answer, these are the changes of the last time.',
    },
  },
};

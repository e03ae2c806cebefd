/** JSON schemas of the routes about keys. */
import { AUDIT_ACTIONS } from '@nexus/keys';

const TIME = { type: ['string', 'null'], format: 'date-time' };
const NAME = { type: ['string', 'null'] };
const PATTERNS = { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: 100 };

const KEY = {
  id: { type: 'string' },
  source: { enum: ['listed', 'issued'], description: 'Listed in the configuration, or issued.' },
  status: {
    enum: ['active', 'expired', 'revoked', 'refused'],
    description:
      'Refused: its team or tier is gone from the configuration, or a key is listed there with its id.',
  },
  team: NAME,
  tier: NAME,
  models: { type: ['array', 'null'], items: { type: 'string' } },
  created: TIME,
  created_by: { type: 'string' },
  expires: TIME,
  revoked: TIME,
  earlier_secrets_until: {
    type: 'array',
    items: { type: 'string', format: 'date-time' },
    description: 'Until when each secret from before a rotation stays good.',
  },
};

export const CREATION = {
  type: 'object',
  required: ['id'],
  additionalProperties: false,
  properties: {
    id: {
      type: 'string',
      pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
      description: 'Its public name, for ever.',
    },
    team: { type: 'string', description: 'A team of the configuration.' },
    tier: { type: 'string', description: 'A tier of the configuration.' },
    models: { ...PATTERNS, description: 'Models that it may call: `gpt-4o*`; `!*-audio*` forbids.' },
    expires: {
      type: 'string',
      description: 'A duration such as `90d`, or a day or instant such as `2027-03-31`.',
    },
  },
};

export const ROTATION = {
  type: 'object',
  additionalProperties: false,
  properties: {
    overlap: {
      type: 'string',
      description: 'How long the secret before stays good: `0s` to `90d`. Default `24h`.',
    },
  },
};

export const KEY_ANSWER = { type: 'object', required: ['id', 'source', 'status'], properties: KEY };

export const CREATED_ANSWER = {
  type: 'object',
  required: ['key', 'id', 'source', 'status'],
  properties: { key: { type: 'string', description: 'The key itself. It is shown this once.' }, ...KEY },
};

export const KEYS_ANSWER = {
  type: 'object',
  required: ['keys', 'next', 'store'],
  properties: {
    keys: { type: 'array', items: KEY_ANSWER },
    next: { ...NAME, description: 'The last id of a page that is not the last.' },
    store: {
      enum: ['ok', 'away'],
      description: 'Away: the store does not answer, these are the keys of the last time.',
    },
  },
};

const VIEW = { type: ['object', 'null'], additionalProperties: true };

export const AUDIT_ANSWER = {
  type: 'object',
  required: ['records'],
  properties: {
    records: {
      type: 'array',
      items: {
        type: 'object',
        required: ['at', 'by', 'action', 'subject', 'before', 'after'],
        properties: {
          at: { type: 'string', format: 'date-time' },
          by: {
            type: 'string',
            description:
              '`api:` and the id of a token, `cli:` and a user of a machine, or `file:` and a machine that took its configuration over.',
          },
          action: { enum: AUDIT_ACTIONS },
          subject: { type: 'string' },
          before: VIEW,
          after: VIEW,
        },
      },
    },
  },
};

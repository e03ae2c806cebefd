import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { AUDIT_KEPT, type AuditRecord, auditText, readAudit } from '../audit.ts';
import { type BudgetRecord, readBudget } from '../budget-record.ts';
import { type KeptRecord, readKept, recordText } from '../kept-record.ts';
import { type KeyChanges, type KeyKeeper, MOST_KEYS, type Position, type PutOutcome } from '../key-keeper.ts';
import { type KeyRecord, readRecord } from '../key-record.ts';

/** A connection to Redis, as ioredis has it. */
export interface RedisCall {
  call(command: string, args: (string | number)[]): Promise<unknown>;
}

/** Records that one call reads or writes: some 300 KB, a few milliseconds of Redis. */
const PAGE = 500;

/**
 * Keeps issued keys and changed budgets in the Redis that the instances share, under the limiter's hash tag. Scripts do every change in one step. These
 * entries have no expiry: a Redis that evicts must only evict what has one (`noeviction` or `volatile-*`).
 */
export class RedisKeyKeeper implements KeyKeeper {
  readonly #redis: RedisCall;
  readonly #keys: readonly [records: string, changes: string, state: string];
  readonly #audit: string;
  readonly #mostKeys: number;
  readonly #close: () => void;
  readonly #scripts = {
    put: script('put'),
    changes: script('changes'),
    restore: script('restore'),
    note: script('note'),
  };

  constructor(
    redis: RedisCall,
    keyPrefix: string,
    { mostKeys = MOST_KEYS, onClose = () => {} }: { mostKeys?: number; onClose?: () => void } = {},
  ) {
    const prefix = `{${keyPrefix}}`;
    this.#redis = redis;
    this.#keys = [`${prefix}:keys`, `${prefix}:keys:changes`, `${prefix}:keys:state`];
    this.#audit = `${prefix}:audit`;
    this.#mostKeys = mostKeys;
    this.#close = onClose;
  }

  async changes(since: Position | undefined): Promise<KeyChanges> {
    const first = await this.#page(since?.version ?? 0);
    const isWhole =
      since === undefined || first.epoch !== since.epoch || Number(first.version) < since.version;
    const records: KeptRecord[] = [];
    let page = isWhole && since !== undefined ? await this.#page(0) : first;
    const { epoch, version } = page;
    for (;;) {
      for (const text of page.texts) {
        const record = readKept(text);
        if (record) records.push(record);
      }
      if (page.texts.length < PAGE) break;
      page = await this.#page(page.last);
      // It was emptied in the middle: what was read so far is of another time.
      if (page.epoch !== epoch) return this.changes(undefined);
    }
    // What came during the reading is read again next time.
    return { position: epoch === undefined ? undefined : { epoch, version }, isWhole, records };
  }

  async #page(since: number): Promise<{
    epoch: string | undefined;
    version: number;
    texts: readonly string[];
    last: number;
  }> {
    const answer = await this.#run('changes', this.#keys, [since, PAGE]);
    const [epoch, version, ...rest]: readonly unknown[] = Array.isArray(answer) ? answer : [];
    const texts = rest.filter((_, index) => index % 2 === 1).map(String);
    const last = texts.length === 0 ? since : Number(rest.at(-2));
    return { epoch: typeof epoch === 'string' ? epoch : undefined, version: Number(version), texts, last };
  }

  async find(id: string): Promise<KeyRecord | undefined> {
    return readRecord(await this.#text(id));
  }

  async findBudget(id: string): Promise<BudgetRecord | undefined> {
    return readBudget(await this.#text(id));
  }

  /** Empty where there is none. */
  async #text(id: string): Promise<string> {
    const text = await this.#redis.call('HGET', [this.#keys[0], id]);
    return typeof text === 'string' ? text : '';
  }

  async put(record: KeptRecord, audit: AuditRecord): Promise<PutOutcome> {
    const { id, revision } = record;
    const bounds = [this.#mostKeys, ...auditBounds(audit)];
    const outcome = await this.#run(
      'put',
      [...this.#keys, this.#audit],
      [id, revision, recordText(record), auditText(audit), randomUUID(), ...bounds],
    );
    return outcome === 'done' || outcome === 'full' ? outcome : 'stale';
  }

  async restore(records: readonly KeptRecord[]): Promise<void> {
    const epoch = randomUUID();
    for (let from = 0; from < records.length; from += PAGE) {
      const page = records.slice(from, from + PAGE);
      const args = page.flatMap((record) => [record.id, record.revision, recordText(record)]);
      await this.#run('restore', this.#keys, [epoch, ...args]);
    }
  }

  async note(audit: AuditRecord): Promise<void> {
    await this.#run('note', [this.#audit], [auditText(audit), ...auditBounds(audit)]);
  }

  async audits(most: number): Promise<readonly AuditRecord[]> {
    const texts = await this.#redis.call('LRANGE', [this.#audit, 0, most - 1]);
    return (Array.isArray(texts) ? texts : []).flatMap((text) => readAudit(String(text)) ?? []);
  }

  close(): void {
    this.#close();
  }

  async #run(
    name: 'put' | 'changes' | 'restore' | 'note',
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    const { lua, sha } = this.#scripts[name];
    const rest = [keys.length, ...keys, ...args];
    try {
      return await this.#redis.call('EVALSHA', [sha, ...rest]);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return this.#redis.call('EVAL', [lua, ...rest]);
    }
  }
}

/** How many audit records are kept, and from which instant on. */
function auditBounds({ atMs }: AuditRecord): [most: number, sinceMs: number] {
  return [AUDIT_KEPT.records, atMs - AUDIT_KEPT.forMs];
}

function script(name: string): { readonly lua: string; readonly sha: string } {
  const lua = readFileSync(new URL(`./key-scripts/${name}.lua`, import.meta.url), 'utf8');
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

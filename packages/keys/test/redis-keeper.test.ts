import { noRedis, startRedis, type TestRedis } from '@nexus/testkit/redis-server';
import { beforeAll, describe, expect, it } from 'vitest';
import { RedisKeyKeeper } from '../src/index.ts';
import { keeperContract } from './keeper-contract.ts';

describe.skipIf(noRedis)('keys in Redis', () => {
  let redis: TestRedis;
  let count = 0;
  beforeAll(async () => {
    redis = await startRedis();
    await redis.client.connect();
    return async () => {
      redis.client.disconnect();
      await redis.process.stop();
    };
  });
  const prefix = () => {
    count += 1;
    return `t${count}`;
  };

  keeperContract(async (options) => {
    const name = prefix();
    const keeper = () => new RedisKeyKeeper(redis.client, name, options);
    return { one: keeper(), two: keeper() };
  });

  it('begins anew for readers when Redis was emptied, also where it has come as far again', async () => {
    const name = prefix();
    const keeper = new RedisKeyKeeper(redis.client, name);
    const record = { id: 'a', hash: 'cd'.repeat(32), revision: 1, createdMs: 1, createdBy: 'x' };
    await keeper.restore([record]);
    const { position } = await keeper.changes(undefined);
    await redis.client.del(`{${name}}:keys`, `{${name}}:keys:changes`, `{${name}}:keys:state`);
    expect(await keeper.changes(position)).toEqual({ position: undefined, isWhole: true, records: [] });
    await keeper.restore([{ ...record, id: 'b' }]);
    expect(await keeper.changes(position)).toMatchObject({ isWhole: true, records: [{ id: 'b' }] });
  });

  it('leaves out a record that is not one, whoever wrote it', async () => {
    const name = prefix();
    const keeper = new RedisKeyKeeper(redis.client, name);
    await keeper.restore([{ id: 'a', hash: 'cd'.repeat(32), revision: 1, createdMs: 1, createdBy: 'x' }]);
    const broken = [
      '',
      '{',
      '[]',
      'null',
      '7',
      '{"id":"a"}',
      '{"id":"a","revision":1,"hash":"x"}',
      '{"__proto__":{}}',
    ];
    for (const text of broken) {
      await redis.client.hset(`{${name}}:keys`, 'a', text);
      expect((await keeper.changes(undefined)).records, text).toEqual([]);
      expect(await keeper.find('a')).toBeUndefined();
    }
  });
});

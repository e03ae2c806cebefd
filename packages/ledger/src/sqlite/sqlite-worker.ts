/** The thread that owns the ledger's file: it may wait for the disk, requests may not. */
import { parentPort, workerData } from 'node:worker_threads';
import type { SqliteReply, SqliteRequest, SqliteTask } from './messages.ts';
import { SqliteTables, type SqliteTablesOptions } from './sqlite-tables.ts';

const options: SqliteTablesOptions = workerData;
let tables: SqliteTables | undefined;

/** Opened when it is needed, and again after it could not be: the disk may be there by then. */
function opened(): SqliteTables {
  tables ??= new SqliteTables(options);
  return tables;
}

function run(task: SqliteTask): unknown {
  switch (task.what) {
    case 'write':
      return opened().write(task.entries);
    case 'prune':
      return opened().prune(task.beforeMs, task.most);
    case 'usage':
      return opened().usage(task.query);
    case 'modelDays':
      return opened().modelDays(task.since, task.until);
    case 'close':
      tables?.close();
      tables = undefined;
      return null;
  }
}

function answer({ number, task }: SqliteRequest): SqliteReply {
  try {
    return { number, result: run(task) };
  } catch (error) {
    // A database that a failing disk has broken off in the middle is opened anew.
    tables?.close();
    tables = undefined;
    const failure = error instanceof Error ? error.message : String(error);
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    return { number, failure, code };
  }
}

parentPort?.on('message', (request: SqliteRequest) => parentPort?.postMessage(answer(request)));

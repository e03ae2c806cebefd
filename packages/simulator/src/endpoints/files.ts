import { type Answer, CREATED, json } from '../answer.ts';
import type { Exchange } from '../exchange.ts';
import { parseMultipart } from '../multipart.ts';
import { hashText, idOf } from '../tokens.ts';

interface StoredFile {
  readonly id: string;
  readonly filename: string;
  readonly purpose: string;
  readonly content: Buffer;
}

const MAX_FILES = 1_000;
const MAX_BYTES = 256 * 1024 * 1024;

/** The uploaded files of one simulator, in memory; the oldest go when there are too many. */
export class FileShelf {
  readonly #files = new Map<string, StoredFile>();
  #bytes = 0;
  #count = 0;

  put(filename: string, purpose: string, content: Buffer): StoredFile {
    const id = `file-${idOf(hashText(`${filename} ${++this.#count}`)).slice(0, 22)}`;
    const file = { id, filename, purpose, content: Buffer.from(content) };
    this.#files.set(id, file);
    this.#bytes += content.length;
    for (const oldest of this.#files.keys()) {
      if (this.#files.size <= MAX_FILES && this.#bytes <= MAX_BYTES) break;
      this.remove(oldest);
    }
    return file;
  }

  get(id: string): StoredFile | undefined {
    return this.#files.get(id);
  }

  list(): readonly StoredFile[] {
    return [...this.#files.values()];
  }

  remove(id: string): boolean {
    this.#bytes -= this.#files.get(id)?.content.length ?? 0;
    return this.#files.delete(id);
  }
}

function describe({ id, filename, purpose, content }: StoredFile): object {
  return {
    object: 'file',
    id,
    purpose,
    filename,
    bytes: content.length,
    created_at: CREATED,
    expires_at: null,
    status: 'processed',
    status_details: null,
  };
}

/** POST files. */
export function uploadFile(exchange: Exchange): Answer {
  const parts = parseMultipart(exchange.req.headers['content-type'], exchange.body);
  if (parts === undefined) return exchange.errors.invalid('Expected a multipart/form-data body.');
  const file = parts.get('file');
  const purpose = parts.get('purpose');
  if (file === undefined) return exchange.errors.missing('file');
  if (purpose === undefined) return exchange.errors.missing('purpose');
  const stored = exchange.house.files.put(
    file.filename ?? 'upload',
    purpose.content.toString('utf8'),
    file.content,
  );
  return json(200, JSON.stringify(describe(stored)));
}

/** GET files. */
export function listFiles(exchange: Exchange): Answer {
  const files = exchange.house.files.list();
  const first_id = files.at(0)?.id ?? null;
  const last_id = files.at(-1)?.id ?? null;
  return json(
    200,
    JSON.stringify({ object: 'list', data: files.map(describe), has_more: false, first_id, last_id }),
  );
}

/** GET files/{id}. */
export function retrieveFile(exchange: Exchange): Answer {
  const file = exchange.house.files.get(exchange.pathId);
  return file === undefined
    ? exchange.errors.unknownFile(exchange.pathId)
    : json(200, JSON.stringify(describe(file)));
}

/** GET files/{id}/content: the bytes as they were uploaded. */
export function fileContent(exchange: Exchange): Answer {
  const file = exchange.house.files.get(exchange.pathId);
  if (file === undefined) return exchange.errors.unknownFile(exchange.pathId);
  return { kind: 'whole', status: 200, contentType: 'application/octet-stream', body: file.content };
}

/** DELETE files/{id}. */
export function deleteFile(exchange: Exchange): Answer {
  const id = exchange.pathId;
  if (!exchange.house.files.remove(id)) return exchange.errors.unknownFile(id);
  return json(200, JSON.stringify({ id, object: 'file', deleted: true }));
}

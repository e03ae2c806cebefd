import { z } from 'zod';
import { FORMATS, type JsonSchema } from './formats.ts';
import { SCALAR_ENTRIES } from './scalar-settings.ts';
import { GROUP_LISTS, LIST_SHAPES, MAPPING_FORMS } from './shape.ts';

/** Text with a variable in it is right for every scalar; its value is known only when Nexus starts. */
const REFERENCE = { type: 'string', pattern: String.raw`\$\{` };

/** The JSON schema (draft 2020-12) of the configuration file, for editors. Nexus itself checks more. */
export function configJsonSchema(): object {
  const properties: Record<string, unknown> = {};
  const groups = new Map<string, Record<string, JsonSchema>>();
  for (const { path, doc, format, default: value, shown } of SCALAR_ENTRIES) {
    const { json } = FORMATS[format];
    const mapping = MAPPING_FORMS.get(path);
    const inUnits = typeof value === 'number' && String(value) !== shown;
    const schema: JsonSchema = {
      description: doc,
      anyOf: [json, REFERENCE, ...(mapping === undefined ? [] : [shapeSchema(mapping)])],
      ...(value === null ? {} : { default: inUnits ? shown : value }),
    };
    const [group, name] = path.split('.');
    if (group === undefined || name === undefined) {
      properties[path] = schema;
      continue;
    }
    const fields = groups.get(group) ?? {};
    fields[name] = schema;
    groups.set(group, fields);
    properties[group] = { type: 'object', properties: fields, additionalProperties: false };
  }
  for (const [path, shape] of Object.entries(GROUP_LISTS)) {
    const [group = '', name = ''] = path.split('.');
    const fields = groups.get(group);
    if (fields) fields[name] = shapeSchema(shape);
  }
  for (const [name, shape] of Object.entries(LIST_SHAPES)) properties[name] = shapeSchema(shape);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Nexus configuration',
    type: 'object',
    properties,
    additionalProperties: false,
  };
}

function shapeSchema(shape: z.ZodType): JsonSchema {
  const { $schema: _draft, ...schema } = z.toJSONSchema(shape, { io: 'input', unrepresentable: 'any' });
  return schema;
}

import { FORMATS } from './formats.ts';
import type { Place, ProblemList } from './problems.ts';
import { SCALAR_ENTRIES } from './scalar-settings.ts';

/** A scalar setting as one source gives it. */
export interface ScalarText {
  readonly raw: unknown;
  readonly place: Place;
}

/** The values of one source that are good; each of the others is a problem, also where a stronger source would win. */
export function checkScalars(
  source: ReadonlyMap<string, ScalarText>,
  problems: ProblemList,
): ReadonlyMap<string, string | number | boolean> {
  const good = new Map<string, string | number | boolean>();
  for (const { path, env, arg, format } of SCALAR_ENTRIES) {
    const given = source.get(path);
    if (given === undefined) continue;
    const checked = FORMATS[format].read(given.raw);
    if (checked.ok) {
      good.set(path, checked.value);
      continue;
    }
    const { place } = given;
    const name =
      place.file === 'environment' ? env : place.file === 'command line' ? `--${arg}` : `\`${path}\``;
    problems.add(place, path, { wrong: `${name} ${checked.wrong}`, remedy: checked.remedy });
  }
  return good;
}

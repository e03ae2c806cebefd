/** The process environment, as it is handed in. */
export type Environment = Readonly<Record<string, string | undefined>>;

export type Interpolated =
  | { readonly ok: true; readonly text: string; readonly replaced: boolean }
  | { readonly ok: false; readonly wrong: string; readonly remedy: string };

/** The value of a variable; undefined if it isn't set. Inherited names (`constructor`) are not variables. */
export function variable(environment: Environment, name: string): string | undefined {
  return Object.hasOwn(environment, name) ? environment[name] : undefined;
}

/** `$${` is a literal `${`; `${NAME}` and `${NAME:-default}` are replaced; any other `${` is an error. */
const REFERENCE = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}|\$\{/g;

/** Every variable that the text refers to. */
export function referencedNames(text: string): string[] {
  return [...text.matchAll(REFERENCE)].flatMap(([, name]) => (name === undefined ? [] : [name]));
}

/**
 * Replaces `${NAME}` by the variable's value and `${NAME:-default}` by it or the default, which also stands in for an
 * empty value, as in the shell. What came from a variable is not read again.
 */
export function interpolate(text: string, environment: Environment): Interpolated {
  let failure: { wrong: string; remedy: string } | undefined;
  let replaced = false;
  const result = text.replaceAll(REFERENCE, (whole: string, name?: string, fallback?: string) => {
    if (whole === '$${') return '${';
    if (name === undefined) {
      failure ??= {
        wrong: 'a reference to the environment is malformed',
        remedy: `write \${NAME} or \${NAME:-default} (and $\${ for a literal \${)`,
      };
      return '';
    }
    replaced = true;
    const value = variable(environment, name);
    if (fallback !== undefined) return value === undefined || value === '' ? fallback : value;
    if (value === undefined) {
      failure ??= {
        wrong: `the environment variable ${name} is not set`,
        remedy: `set ${name}, or write \${${name}:-default}`,
      };
    }
    return value ?? '';
  });
  return failure === undefined ? { ok: true, text: result, replaced } : { ok: false, ...failure };
}
